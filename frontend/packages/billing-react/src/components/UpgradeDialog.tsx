"use client";

import type { PaywallProblem } from "@bitsleuth/entitlements";
import { useT } from "../text.js";
import { Dialog } from "../ui/Dialog.js";
import LockedCard from "./LockedCard.js";

export interface UpgradeDialogProps {
  feature: string;
  problem?: Partial<PaywallProblem>;
  onClose: () => void;
}

/** The locked card as a dialog, for a refusal in the middle of something (see `usePaywall`). */
export function UpgradeDialog({ feature, problem, onClose }: UpgradeDialogProps) {
  const t = useT();
  return (
    <Dialog onClose={onClose} title={t("upgrade.title")} waits>
      <LockedCard feature={feature} onStarted={onClose} {...(problem ? { problem } : {})} />
    </Dialog>
  );
}
