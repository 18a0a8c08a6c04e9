import { Button, classes, ErrorNotice, format, Notice, ScrollArea, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { navigate, useQueryParam } from "../../router.js";
import { useMay } from "../may.js";
import { Empty } from "../parts.js";
import { CodesDialog } from "./CodesDialog.js";
import { MakeDialog } from "./MakeDialog.js";
import { useBatch, useBatches, useCodes, type Batch, type BatchDetail } from "./queries.js";
import { RevokeDialog } from "./RevokeDialog.js";
import { useVouchersText } from "./texts.js";
import "./vouchers.css";
import { useWhat } from "./what.js";

const PATH = "/console/vouchers";

/** Batches of vouchers: made, counted, shown, printed and taken back. */
export default function VouchersPage() {
  const open = useQueryParam("batch");
  return open === null ? <Batches /> : <OpenBatch batchId={open} />;
}

function Batches() {
  const t = useVouchersText();
  const may = useMay();
  const batches = useBatches();
  const [making, setMaking] = useState(false);
  const list = batches.data?.batches ?? [];
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("title")}</h1>
        {may("POST /admin/vouchers") && (
          <Button variant="primary" onClick={() => setMaking(true)}>
            {t("make")}
          </Button>
        )}
      </div>
      <p className="bsb-2">{t("about")}</p>
      {batches.isError && <ErrorNotice error={batches.error} onRetry={() => void batches.refetch()} />}
      {batches.isPending && <SkeletonCard lines={4} />}
      {batches.data && list.length === 0 && <Empty>{t("none")}</Empty>}
      {list.length > 0 && (
        <ul className="bsb-card bsb-card-flush" aria-label={t("batches")}>
          {list.map((batch) => (
            <li key={batch.batch_id} className="admin-line bsb-row bsb-between">
              <About batch={batch} />
              <a className="bsb-link" href={`${PATH}?batch=${batch.batch_id}`}>
                {t("open")}
                <span className="bsb-hidden"> {batch.note}</span>
              </a>
            </li>
          ))}
        </ul>
      )}
      {making && <MakeDialog onClose={() => setMaking(false)} onMade={(batchId) => navigate(`${PATH}?batch=${batchId}`)} />}
    </div>
  );
}

function About({ batch }: { batch: Batch }) {
  const t = useVouchersText();
  const what = useWhat();
  const { locale } = useBilling();
  const money = batch.currency && batch.sold_cents ? format.money(batch.sold_cents, batch.currency, locale) : null;
  const facts = [
    t("count", { count: batch.count }),
    money === null ? t("free") : t("sold", { amount: money }),
    batch.expires_at && t("until", { until: format.date(batch.expires_at, locale) }),
    t("made", { by: batch.made_by, at: format.date(batch.made_at, locale) }),
  ];
  return (
    <div className="bsb-stack bsb:min-w-0 bsb:gap-1">
      <p className="bsb-h3 bsb:font-semibold">{what(batch)}</p>
      <p className="bsb:break-words">{batch.note}</p>
      <p className="bsb-2 bsb-small bsb:break-words">{facts.filter(Boolean).join(" · ")}</p>
    </div>
  );
}

function OpenBatch({ batchId }: { batchId: string }) {
  const t = useVouchersText();
  const may = useMay();
  const detail = useBatch(batchId);
  const codes = useCodes(batchId);
  const [revoking, setRevoking] = useState<BatchDetail["vouchers"][number] | "unused" | null>(null);
  const [revoked, setRevoked] = useState<number | null>(null);
  const batch = detail.data;
  return (
    <div className="bsb-stack bsb:gap-6">
      <p>
        <a className="bsb-link" href={PATH}>
          {t("back")}
        </a>
      </p>
      <h1 className="bsb-h1" id="vouchers">
        {t("title")}
      </h1>
      {detail.isError && <ErrorNotice error={detail.error} onRetry={() => void detail.refetch()} />}
      {detail.isPending && <SkeletonCard lines={6} />}
      {codes.isError && <ErrorNotice error={codes.error} />}
      {revoked !== null && (
        <Notice tone={revoked > 0 ? "good" : "warn"} live>
          {revoked > 0 ? t("revoke.done", { count: revoked }) : t("revoke.nothing")}
        </Notice>
      )}
      {batch && (
        <>
          <section className="bsb-card bsb-stack">
            <About batch={batch} />
            <dl className="bsb-row bsb:gap-x-8">
              {(["ready", "redeemed", "expired", "revoked"] as const).map((state) => (
                <div key={state}>
                  <dt className="bsb-2 bsb-small">{t(state)}</dt>
                  <dd className="bsb-h2 bsb-number bsb:m-0 bsb:font-semibold">{batch.counts[state]}</dd>
                </div>
              ))}
            </dl>
            <div className="bsb-row">
              {may("POST /admin/vouchers/{batch_id}/codes") && (
                <Button busy={codes.isPending} disabled={batch.counts.ready === 0} onClick={() => codes.mutate(undefined)}>
                  {t("codes")}
                </Button>
              )}
              {may("POST /admin/vouchers/{batch_id}/revoke") && (
                <Button disabled={batch.counts.ready === 0} onClick={() => setRevoking("unused")}>
                  {t("revoke")}
                </Button>
              )}
            </div>
          </section>
          <ScrollArea labelledBy="vouchers">
            <table className="bsb-table">
              <thead>
                <tr>
                  <th scope="col">{t("number")}</th>
                  <th scope="col">{t("state")}</th>
                  <th scope="col">
                    <span className="bsb-hidden">{t("revoke.one")}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {batch.vouchers.map((line) => (
                  <tr key={line.number}>
                    <th scope="row" className="bsb-number">
                      {line.number}
                    </th>
                    <td>
                      <span className={classes("bsb-badge", line.state === "ready" && "bsb-badge-good")}>{t(line.state)}</span>
                    </td>
                    <td className="bsb-end">
                      {may("POST /admin/vouchers/{batch_id}/revoke") && (line.state === "ready" || line.state === "redeemed") && (
                        <Button size="small" variant="ghost" onClick={() => setRevoking(line)}>
                          {t("revoke.one")}
                          <span className="bsb-hidden"> {line.number}</span>
                        </Button>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </ScrollArea>
        </>
      )}
      {codes.data && <CodesDialog codes={codes.data} onClose={() => codes.reset()} />}
      {batch && revoking !== null && (
        <RevokeDialog
          batch={batch}
          {...(revoking === "unused" ? {} : { line: revoking })}
          onRevoked={setRevoked}
          onClose={() => setRevoking(null)}
        />
      )}
    </div>
  );
}
