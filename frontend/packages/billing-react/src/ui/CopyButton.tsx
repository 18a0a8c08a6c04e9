"use client";

import { useState } from "react";
import { useT } from "../text.js";
import { Button } from "./Button.js";
import { Icon } from "./Icon.js";

/** Copies `value`; `what` names it for screen readers ("address"). */
export function CopyButton({ value, what }: { value: string; what: string }) {
  const t = useT();
  const [copied, setCopied] = useState(false);
  async function copy() {
    await navigator.clipboard.writeText(value);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  }
  return (
    <Button variant="ghost" size="icon" aria-label={t("copy", { what })} onClick={() => void copy()}>
      <Icon name={copied ? "check" : "copy"} />
      <span className="bsb-hidden" role="status">
        {copied ? t("copied") : ""}
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
