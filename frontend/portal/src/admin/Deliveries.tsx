import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, classes, Dialog, ErrorNotice, format, Notice, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import type { Endpoint } from "./EndpointsPage.js";
import { useMay } from "./may.js";
import { Empty, Field } from "./parts.js";
import { useDeliveries, useResend } from "./queries.js";
import { useAdminOptional, useAdminText } from "./text.js";

type Delivery = Schemas["DeliveryView"];
const STATES = ["waiting", "delivered", "failed"] as const;
const RESEND = "POST /admin/endpoints/{endpoint_id}/resend";
const TONES = { waiting: "", delivered: "bsb-badge-good", failed: "bsb-badge-bad" } as const;

/** What an endpoint was told, or is still to be, with the answer of the newest try. */
export function Deliveries({ endpoint }: { endpoint: Endpoint }) {
  const t = useAdminText();
  const may = useMay();
  const [state, setState] = useState<(typeof STATES)[number]>("delivered");
  const [cursor, setCursor] = useState("");
  const [again, setAgain] = useState(false);
  const deliveries = useDeliveries(endpoint.endpoint_id, state, cursor);
  return (
    <section className="bsb-stack" aria-labelledby="deliveries">
      <div className="bsb-row bsb-between">
        <h2 className="bsb-h2" id="deliveries">
          {t("deliveries")}
        </h2>
        <div className="bsb-row">
          <Button size="small" onClick={() => void deliveries.refetch()}>
            {t("deliveries.look")}
          </Button>
          {may(RESEND) && (
            <Button size="small" onClick={() => setAgain(true)}>
              {t("resend.since")}
            </Button>
          )}
        </div>
      </div>
      <p className="bsb-2 bsb-small bsb-mono bsb:break-all">{endpoint.url}</p>
      <fieldset className="bsb-segments bsb:self-start">
        <legend className="bsb-hidden">{t("status")}</legend>
        {STATES.map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="delivery-state"
              checked={name === state}
              onChange={() => {
                setCursor("");
                setState(name);
              }}
            />
            {t(`deliveries.${name}`)}
          </label>
        ))}
      </fieldset>
      {deliveries.isError && <ErrorNotice error={deliveries.error} onRetry={() => void deliveries.refetch()} />}
      {deliveries.isPending && <SkeletonCard lines={5} />}
      {deliveries.data?.deliveries.length === 0 && <Empty>{t("deliveries.none")}</Empty>}
      {deliveries.data && deliveries.data.deliveries.length > 0 && (
        <ul className="bsb-card bsb-card-flush">
          {deliveries.data.deliveries.map((delivery) => (
            <DeliveryLine key={delivery.delivery_id} endpointId={endpoint.endpoint_id} delivery={delivery} />
          ))}
        </ul>
      )}
      <div className="bsb-row">
        {cursor && <Button onClick={() => setCursor("")}>{t("newest")}</Button>}
        {deliveries.data?.cursor && <Button onClick={() => setCursor(deliveries.data.cursor ?? "")}>{t("more")}</Button>}
      </div>
      {again && <ResendDialog endpoint={endpoint} onClose={() => setAgain(false)} />}
    </section>
  );
}

function DeliveryLine({ endpointId, delivery }: { endpointId: string; delivery: Delivery }) {
  const t = useAdminText();
  const optional = useAdminOptional();
  const may = useMay();
  const { locale } = useBilling();
  const resend = useResend();
  const { status, error, tries, tried_at, took_ms } = delivery;
  const answer = status ? String(status) : ((error && optional("delivery", error)) ?? error);
  return (
    <li className="admin-line bsb-stack bsb:gap-2">
      <div className="bsb-row bsb-between bsb:items-start">
        <div className="bsb:min-w-0">
          <h3 className="bsb-small bsb:font-semibold">{delivery.type}</h3>
          <p className="bsb-2 bsb-tiny">
            {format.dateTime(delivery.accepted_at, locale)} · <span className="bsb-mono bsb:break-all">{delivery.event_id}</span>
          </p>
          {tried_at && (
            <p className="bsb-2 bsb-tiny bsb-number">
              {t("deliveries.tried", { count: tries, time: format.dateTime(tried_at, locale), ms: took_ms ?? 0 })}
            </p>
          )}
        </div>
        <div className="bsb-row">
          <span className={classes("bsb-badge", TONES[delivery.state])}>
            {t(`deliveries.${delivery.state}`)}
            {answer && ` · ${answer}`}
          </span>
          {may(RESEND) && (
            <Button
              size="small"
              busy={resend.isPending}
              onClick={() => resend.mutate({ endpoint_id: endpointId, body: { delivery_id: delivery.delivery_id } })}
            >
              {t("resend")}
              <span className="bsb-hidden"> {delivery.event_id}</span>
            </Button>
          )}
        </div>
      </div>
      {resend.isSuccess && (
        <p className="bsb-2 bsb-small" role="status">
          {t("resend.done")}
        </p>
      )}
      {resend.error && <ErrorNotice error={resend.error} />}
      <details className="bsb-small">
        <summary className="bsb-summary bsb-2">{t("deliveries.body")}</summary>
        <pre className="admin-code bsb:mt-2">{delivery.body}</pre>
      </details>
    </li>
  );
}

const HOURS = [1, 6, 24, 72, 168, 720] as const;

/** Everything since some hours ago, in order for each account. */
function ResendDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const t = useAdminText();
  const resend = useResend();
  const [hours, setHours] = useState(24);
  const { endpoint_id } = endpoint;
  // A minute inside the bound: the service counts its thirty days to the second.
  const since = () => Math.floor(Date.now() / 1000) - hours * 3600 + 60;
  return (
    <Dialog onClose={onClose} title={t("resend.since")} description={t("resend.since.about")}>
      <Field id="resend-hours" label={t("resend.hours")}>
        {(field) => (
          <select {...field} className="bsb-input" value={hours} onChange={(event) => setHours(Number(event.target.value))}>
            {HOURS.map((number) => (
              <option key={number} value={number}>
                {number < 72 ? t("resend.hours.some", { count: number }) : t("resend.days.some", { count: number / 24 })}
              </option>
            ))}
          </select>
        )}
      </Field>
      {resend.data && (
        <Notice tone="good" live>
          {t("resend.lanes", { count: resend.data.lanes })}
        </Notice>
      )}
      {resend.error && <ErrorNotice error={resend.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t(resend.data ? "close" : "cancel")}</Button>
        {!resend.data && (
          <Button variant="primary" busy={resend.isPending} onClick={() => resend.mutate({ endpoint_id, body: { since: since() } })}>
            {t("resend.since")}
          </Button>
        )}
      </div>
    </Dialog>
  );
}
