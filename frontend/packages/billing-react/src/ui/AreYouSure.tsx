import type { ReactNode } from "react";
import { Button } from "./Button.js";
import { Notice } from "./Notice.js";

interface AreYouSureProps {
  /** What will happen. */
  children: ReactNode;
  keep: string;
  onKeep: () => void;
  go: string;
  onGo: () => void;
  busy: boolean;
}

/** Asked in the place of the button that was pressed, before something is taken away. */
export function AreYouSure({ children, keep, onKeep, go, onGo, busy }: AreYouSureProps) {
  return (
    <Notice
      tone="warn"
      live
      action={
        <>
          <Button size="small" onClick={onKeep}>
            {keep}
          </Button>
          <Button size="small" variant="danger" busy={busy} onClick={onGo}>
            {go}
          </Button>
        </>
      }
    >
      {children}
    </Notice>
  );
}
