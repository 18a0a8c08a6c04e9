"use client";

import { ApiError } from "@bitsleuth/billing-api-client";
import { money, number } from "../format.js";
import { useBilling } from "../provider.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import type { Wallet } from "./queries.js";
import { useWalletT, type WalletKey } from "./texts.js";

type Trouble = NonNullable<Wallet["trouble"]>;

/** Why a wallet is not asked, or did not pay, and the way out. */
export function useTroubleText(): (trouble: Trouble, wallet?: Wallet) => string {
  const t = useWalletT();
  const { locale } = useBilling();
  return (trouble, wallet) => {
    const price = wallet?.price_now_cents != null ? money(wallet.price_now_cents, wallet.currency_now ?? "", locale) : "";
    return t(`wallet.trouble.${trouble}` as WalletKey, { price, sat: number(wallet?.most_sat ?? 0, locale) });
  };
}

/** What the service says of a wallet that it could not ask. */
export function WalletTrouble({ error }: { error: unknown }) {
  const text = useTroubleText();
  const trouble = error instanceof ApiError ? error.problem.trouble : undefined;
  if (typeof trouble !== "string") return <ErrorNotice error={error} />;
  return (
    <Notice tone="bad" live>
      {text(trouble as Trouble)}
    </Notice>
  );
}
