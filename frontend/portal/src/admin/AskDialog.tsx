import { Button, Dialog, ErrorNotice } from "@bitsleuth/billing-react";
import type { ReactNode } from "react";
import { useAdminText } from "./text.js";

interface AskDialogProps {
  title: string;
  about: string;
  /** What the button says that does it. */
  act: string;
  acting: { isPending: boolean; error: unknown };
  onAct: () => void;
  onClose: () => void;
  /** What it is done to. */
  children?: ReactNode;
}

/** Asks before something is done that takes effect at once. */
export function AskDialog({ title, about, act, acting, onAct, onClose, children }: AskDialogProps) {
  const t = useAdminText();
  return (
    <Dialog onClose={onClose} title={title} description={about}>
      {children}
      {acting.error !== null && <ErrorNotice error={acting.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("cancel")}</Button>
        <Button variant="danger" busy={acting.isPending} onClick={onAct}>
          {act}
        </Button>
      </div>
    </Dialog>
  );
}
