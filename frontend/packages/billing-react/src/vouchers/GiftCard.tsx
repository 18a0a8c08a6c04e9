"use client";

import { CopyLine } from "../ui/CopyButton.js";
import { QrCode } from "../ui/QrCode.js";
import { useVoucherText } from "./texts.js";

/** A code to hand over: as text, and to scan. */
export function GiftCard({ what, code, url }: { what: string; code: string; url: string }) {
  const t = useVoucherText();
  const page = url.split("#")[0] ?? url;
  return (
    <div className="bsb-stack bsb:items-center bsb:text-center">
      <p className="bsb-h3 bsb:font-semibold">{t("card.title", { what })}</p>
      <QrCode text={url} label={url} />
      <CopyLine value={code} what={t("gifts.code")} />
      <p className="bsb-2 bsb-small bsb:break-words bsb:max-w-full">{t("card.how", { url: page })}</p>
    </div>
  );
}
