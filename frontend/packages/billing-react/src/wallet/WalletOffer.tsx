"use client";

import type { Plan } from "../format.js";
import { Button } from "../ui/Button.js";
import { Notice, NotRead } from "../ui/Notice.js";
import { ConnectWallet } from "./ConnectWallet.js";
import { useWallets } from "./queries.js";
import { useWalletT } from "./texts.js";

export interface WalletOfferProps {
  plan: Plan;
  open: boolean;
  onOpen: (open: boolean) => void;
}

/** In the purchase of a term: a wallet that renews it may be connected at once. */
export default function WalletOffer({ plan, open, onOpen }: WalletOfferProps) {
  const t = useWalletT();
  const wallets = useWallets();
  if (!wallets.data) return <NotRead of={wallets} title={t("wallet.title")} />;
  const { data } = wallets;
  if (!data.available) return null;
  if (open) return <ConnectWallet plan={plan} days={data.days_before} lastSat={data.last_sat} onDone={() => onOpen(false)} />;
  const wallet = data.wallets.find(({ group, plan_id }) => group === plan.group && plan_id === plan.plan_id);
  return (
    <Notice
      {...(wallet ? { tone: "good" as const } : {})}
      action={
        !wallet && (
          <Button size="small" onClick={() => onOpen(true)}>
            {t("wallet.connect")}
          </Button>
        )
      }
    >
      {wallet ? t("wallet.offer_connected") : t("wallet.offer")}
    </Notice>
  );
}
