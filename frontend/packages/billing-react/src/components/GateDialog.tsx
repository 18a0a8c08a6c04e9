"use client";

import type { GateProblem } from "@bitsleuth/entitlements";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { UpgradeDialog } from "./UpgradeDialog.js";

/** What a gate of the host's servers answered in place of what was asked for. */
export default function GateDialog({ problem, onClose }: { problem: GateProblem; onClose: () => void }) {
  const t = useT();
  if (problem.code === "feature_locked") return <UpgradeDialog feature={problem.feature} problem={problem} onClose={onClose} />;
  return (
    <Dialog onClose={onClose} title={t("unknown.title")}>
      <p className="bsb-2">{t("unknown.call")}</p>
      <div className="bsb-dialog-actions">
        <Button variant="primary" onClick={onClose}>
          {t("close")}
        </Button>
      </div>
    </Dialog>
  );
}
