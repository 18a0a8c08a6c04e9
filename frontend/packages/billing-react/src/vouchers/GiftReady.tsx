"use client";

import { useGifts } from "./queries.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { NotRead } from "../ui/Notice.js";
import { SkeletonCard } from "../ui/Skeleton.js";
import { useT } from "../text.js";
import { GiftCard } from "./GiftCard.js";
import { useVoucherText } from "./texts.js";
import { useWhat } from "./what.js";

/** Back from the payment of a gift: its code, to be passed on. */
export default function GiftReady({ checkoutId, accountUrl }: { checkoutId: string; accountUrl: string }) {
  const t = useVoucherText();
  const common = useT();
  const gifts = useGifts(checkoutId);
  const gift = gifts.data?.gifts.find((each) => each.checkout_id === checkoutId);
  if (!gift?.voucher) return gifts.isError ? <NotRead of={gifts} /> : <SkeletonCard heading lines={6} />;
  return (
    <section className="bsb bsb-card bsb-stack bsb-print bsb:items-center">
      <h1 className="bsb-h2 bsb:text-center">{t(gift.voucher === "redeemed" ? "gifts.redeemed" : "ready.title")}</h1>
      <GiftToPass checkoutId={checkoutId} />
      <div className="bsb-row bsb:justify-center">
        <ButtonLink href={accountUrl}>{common("return.account")}</ButtonLink>
      </div>
    </section>
  );
}

/** The code of a gift that was paid; waited for, until it is there. */
export function GiftToPass({ checkoutId }: { checkoutId: string }) {
  const t = useVoucherText();
  const what = useWhat();
  const gifts = useGifts(checkoutId);
  const gift = gifts.data?.gifts.find((each) => each.checkout_id === checkoutId);
  if (!gift?.voucher) return gifts.isError ? <NotRead of={gifts} /> : <SkeletonCard lines={6} />;
  return (
    <div className="bsb-stack bsb:items-center">
      <p className="bsb-2 bsb:text-center" role="status">
        {t(gift.code ? "ready.about" : gift.voucher === "redeemed" ? "gifts.redeemed" : "gifts.gone")}
      </p>
      {gift.code && gift.redeem_url && (
        <>
          <GiftCard what={what(gift)} code={gift.code} url={gift.redeem_url} />
          <Button variant="primary" onClick={() => print()}>
            {t("gifts.print")}
          </Button>
        </>
      )}
    </div>
  );
}
