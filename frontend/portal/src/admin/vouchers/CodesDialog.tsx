import { Button, CopyButton, csv, Dialog, download, format, QrCode, Skeleton, useBilling } from "@bitsleuth/billing-react";
import { Suspense, useState } from "react";
import type { Codes } from "./queries.js";
import { useVouchersText } from "./texts.js";
import { useWhat } from "./what.js";

/** The codes that can still be redeemed: as a list, a table for a spreadsheet, and cards for paper. */
export function CodesDialog({ codes, onClose }: { codes: Codes; onClose: () => void }) {
  const t = useVouchersText();
  const what = useWhat();
  const [cards, setCards] = useState(false);
  const save = () => {
    const rows = codes.codes.map(({ number, code, url }) => [number, code, url, what(codes), codes.expires_at ?? "", codes.batch_id]);
    download(`${codes.batch_id}.csv`, csv([["number", "code", "url", "gives", "redeem_before", "batch"], ...rows]));
  };
  return (
    <Dialog onClose={onClose} title={what(codes)} description={t("codes.about")} width="48rem" prints={cards}>
      <div className="bsb-row voucher-tools">
        <Button onClick={save}>{t("csv")}</Button>
        <Button onClick={() => setCards(!cards)} aria-pressed={cards}>
          {t("cards")}
        </Button>
        {cards && (
          <Button variant="primary" onClick={() => print()}>
            {t("print")}
          </Button>
        )}
      </div>
      {cards ? (
        <Suspense fallback={<Skeleton height="12rem" />}>
          <ul className="voucher-cards">
            {codes.codes.map((line) => (
              <Card key={line.number} line={line} codes={codes} />
            ))}
          </ul>
        </Suspense>
      ) : (
        <ol className="bsb-stack bsb:gap-1">
          {codes.codes.map(({ number, code }) => (
            <li key={number} className="bsb-row bsb:flex-nowrap bsb:gap-2">
              <span className="bsb-2 bsb-small bsb-number">{number}</span>
              <span className="bsb-mono">{code}</span>
              <CopyButton value={code} what={code} />
            </li>
          ))}
        </ol>
      )}
    </Dialog>
  );
}

function Card({ line, codes }: { line: Codes["codes"][number]; codes: Codes }) {
  const t = useVouchersText();
  const what = useWhat();
  const { locale } = useBilling();
  return (
    <li className="voucher-card">
      <strong>{what(codes)}</strong>
      <QrCode text={line.url} label={line.url} />
      <span className="bsb-mono">{line.code}</span>
      <span className="bsb-tiny">{t("card.how", { url: line.url.split("#")[0] ?? "" })}</span>
      {codes.expires_at && <span className="bsb-tiny">{t("card.until", { until: format.date(codes.expires_at, locale) })}</span>}
    </li>
  );
}
