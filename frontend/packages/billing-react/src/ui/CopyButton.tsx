"use client";

import { useEffect, useState } from "react";
import { useT } from "../text.js";
import { Button } from "./Button.js";
import { Icon } from "./Icon.js";

/** Copies `value`; `what` names it for screen readers ("address"). */
export function CopyButton({ value, what }: { value: string; what: string }) {
  const t = useT();
  const [outcome, setOutcome] = useState<"copied" | "copy_failed" | null>(null);
  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => setOutcome(null), outcome === "copied" ? 2000 : 6000);
    return () => clearTimeout(timer);
  }, [outcome]);
  async function copy() {
    try {
      await navigator.clipboard.writeText(value);
      setOutcome("copied");
    } catch {
      setOutcome("copy_failed"); // Not allowed to, or a page without TLS.
    }
  }
  return (
    <Button variant="ghost" size="icon" aria-label={t("copy", { what })} title={outcome ? t(outcome) : undefined} onClick={() => void copy()}>
      <Icon name={outcome === "copied" ? "check" : outcome ? "alert" : "copy"} />
      <span className="bsb-hidden" role="status">
        {outcome ? t(outcome) : ""}
      </span>
    </Button>
  );
}

export function CopyLine({ value, what, shown }: { value: string; what: string; shown?: string }) {
  return (
    <div className="bsb-copy-line">
      <span className="bsb-mono">{shown ?? value}</span>
      <CopyButton value={value} what={what} />
    </div>
  );
}
