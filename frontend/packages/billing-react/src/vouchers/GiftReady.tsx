"use client";

import { useGifts } from "./queries.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { ErrorNotice } from "../ui/Notice.js";
import { SkeletonCard } from "../ui/Skeleton.js";
import { useT } from "../text.js";
import { GiftCard } from "./GiftCard.js";
import { useVoucherText } from "./texts.js";
import { useWhat } from "./what.js";

/** Back from the payment of a gift: its code, to be passed on. */
export default function GiftReady({ checkoutId, accountUrl }: { checkoutId: string; accountUrl: string }) {
  const t = useVoucherText();
  const common = useT();
  const what = useWhat();
  const gifts = useGifts();
  const gift = gifts.data?.gifts.find((each) => each.checkout_id === checkoutId);
  if (gifts.isError) return <ErrorNotice error={gifts.error} onRetry={() => void gifts.refetch()} />;
  if (!gift) return <SkeletonCard heading lines={6} />;
  return (
    <section className="bsb bsb-card bsb-stack bsb-print bsb:items-center">
      <div className="bsb-stack bsb:gap-2 bsb:text-center" role="status">
        <h1 className="bsb-h2">{t(gift.voucher === "redeemed" ? "gifts.redeemed" : "ready.title")}</h1>
        {gift.code && <p className="bsb-2">{t("ready.about")}</p>}
      </div>
      {gift.code && gift.redeem_url && <GiftCard what={what(gift)} code={gift.code} url={gift.redeem_url} />}
      <div className="bsb-row bsb:justify-center">
        {gift.code && (
          <Button variant="primary" onClick={() => print()}>
            {t("gifts.print")}
          </Button>
        )}
        <ButtonLink href={accountUrl}>{common("return.account")}</ButtonLink>
      </div>
    </section>
  );
}
