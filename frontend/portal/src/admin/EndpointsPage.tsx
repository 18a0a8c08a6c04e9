import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, classes, ErrorNotice, format, Notice, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { navigate, useQueryParam } from "../router.js";
import { Deliveries } from "./Deliveries.js";
import { EndpointDialog, RemoveEndpointDialog, SecretDialog } from "./EndpointDialog.js";
import { useMay } from "./may.js";
import { Empty } from "./parts.js";
import { useChangeEndpoint, useEndpoints, useEndOldSecret, useTestEndpoint, useTestFate } from "./queries.js";
import { useAdminOptional, useAdminText } from "./text.js";

export type Endpoint = Schemas["EndpointView"];
type Open = { what: "edit" | "secret" | "remove"; endpoint: Endpoint };

/** Where hosts are told by webhook what happens; and, of one of them, what it was told. */
export function EndpointsPage() {
  const t = useAdminText();
  const may = useMay();
  const endpoints = useEndpoints();
  const chosen = useQueryParam("endpoint");
  const [adding, setAdding] = useState(false);
  const [open, setOpen] = useState<Open | null>(null);
  const one = endpoints.data?.endpoints.find(({ endpoint_id }) => endpoint_id === chosen);
  const types = endpoints.data?.event_types ?? [];
  const onClose = () => setOpen(null);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("endpoints")}</h1>
        {endpoints.data && may("POST /admin/endpoints") && (
          <Button variant="primary" onClick={() => setAdding(true)}>
            {t("endpoint.add")}
          </Button>
        )}
      </div>
      <p className="bsb-2">{t("endpoints.about")}</p>
      {endpoints.isError && <ErrorNotice error={endpoints.error} onRetry={() => void endpoints.refetch()} />}
      {endpoints.isPending && <SkeletonCard lines={4} />}
      {endpoints.data?.endpoints.length === 0 && <Empty>{t("endpoints.none")}</Empty>}
      {endpoints.data && endpoints.data.endpoints.length > 0 && (
        <ul className="bsb-card bsb-card-flush">
          {endpoints.data.endpoints.map((endpoint) => (
            <EndpointLine key={endpoint.endpoint_id} endpoint={endpoint} onOpen={(what) => setOpen({ what, endpoint })} />
          ))}
        </ul>
      )}
      {one && <Deliveries key={one.endpoint_id} endpoint={one} />}
      {adding && <EndpointDialog types={types} onClose={() => setAdding(false)} />}
      {open?.what === "edit" && <EndpointDialog endpoint={open.endpoint} types={types} onClose={onClose} />}
      {open?.what === "secret" && <SecretDialog endpoint={open.endpoint} onClose={onClose} />}
      {open?.what === "remove" && <RemoveEndpointDialog endpoint={open.endpoint} onClose={onClose} />}
    </div>
  );
}

function EndpointLine({ endpoint, onOpen }: { endpoint: Endpoint; onOpen: (what: Open["what"]) => void }) {
  const t = useAdminText();
  const may = useMay();
  const { locale } = useBilling();
  const change = useChangeEndpoint();
  const test = useTestEndpoint();
  const endOld = useEndOldSecret();
  const { endpoint_id, url, event_types } = endpoint;
  const paused = endpoint.state === "paused";
  const shown = useQueryParam("endpoint") === endpoint_id;
  const about = <span className="bsb-hidden"> {url}</span>;
  const error = change.error ?? test.error ?? endOld.error;
  return (
    <li className="admin-line bsb-stack bsb:gap-3">
      <div className="bsb-row bsb-between bsb:items-start">
        <div className="bsb:min-w-0">
          <h2 className="bsb-small bsb:font-semibold bsb-mono bsb:break-all">{url}</h2>
          <p className="bsb-2 bsb-tiny bsb:break-words">
            {endpoint.description && `${endpoint.description} · `}
            {event_types.join(", ")}
          </p>
        </div>
        <span className={classes("bsb-badge", paused ? "bsb-badge-warn" : endpoint.failing_since ? "bsb-badge-bad" : "bsb-badge-good")}>
          {t(paused ? "endpoint.paused" : endpoint.failing_since ? "endpoint.failing" : "endpoint.enabled")}
        </span>
      </div>
      <Trouble endpoint={endpoint} />
      {endpoint.secrets > 1 && <p className="bsb-2 bsb-small">{t("endpoint.two_secrets")}</p>}
      {!endpoint.failing_since && endpoint.succeeded_at && (
        <p className="bsb-2 bsb-tiny">{t("endpoint.succeeded", { time: format.dateTime(endpoint.succeeded_at, locale) })}</p>
      )}
      <div className="bsb-row">
        <Button size="small" aria-expanded={shown} onClick={() => navigate(shown ? "/console/endpoints" : `/console/endpoints?endpoint=${endpoint_id}`, { replace: true })}>
          {t("deliveries")}
          {about}
        </Button>
        {may("POST /admin/endpoints/{endpoint_id}/test") && (
          <Button
            size="small"
            busy={test.isPending}
            onClick={() => {
              test.mutate(endpoint_id);
              navigate(`/console/endpoints?endpoint=${endpoint_id}`, { replace: true });
            }}
          >
            {t("endpoint.test")}
            {about}
          </Button>
        )}
        {may("PATCH /admin/endpoints/{endpoint_id}") && (
          <>
            <Button size="small" onClick={() => onOpen("edit")}>
              {t("edit")}
              {about}
            </Button>
            <Button
              size="small"
              busy={change.isPending}
              onClick={() => change.mutate({ endpoint_id, body: { state: paused ? "enabled" : "paused" } })}
            >
              {t(paused ? "endpoint.enable" : "endpoint.pause")}
              {about}
            </Button>
            {endpoint.secrets > 1 ? (
              <Button size="small" busy={endOld.isPending} onClick={() => endOld.mutate(endpoint_id)}>
                {t("endpoint.end_old")}
                {about}
              </Button>
            ) : (
              <Button size="small" onClick={() => onOpen("secret")}>
                {t("endpoint.new_secret")}
                {about}
              </Button>
            )}
            <Button size="small" variant="ghost" onClick={() => onOpen("remove")}>
              {t("endpoint.remove")}
              {about}
            </Button>
          </>
        )}
      </div>
      {test.isSuccess && <TestFate endpointId={endpoint_id} eventId={test.data.event_id} />}
      {error && <ErrorNotice error={error} />}
    </li>
  );
}

/** For how many milliseconds a test is soon to be tried. */
const PATIENCE = 25_000;

/** How the test went, as soon as it was tried. */
function TestFate({ endpointId, eventId }: { endpointId: string; eventId: string }) {
  const t = useAdminText();
  const optional = useAdminOptional();
  const [asked] = useState(() => Date.now());
  const fate = useTestFate(endpointId, eventId);
  const { data } = fate;
  const answer = data?.status ? String(data.status) : ((data?.error && optional("delivery", data.error)) ?? data?.error);
  if (fate.isError) return <ErrorNotice error={fate.error} onRetry={() => void fate.refetch()} />;
  const open = fate.dataUpdatedAt - asked < PATIENCE ? "endpoint.tested" : "endpoint.test_waits";
  return (
    <p className="bsb-2 bsb-small" role="status">
      {data ? t(data.state === "failed" ? "endpoint.test_failed" : "endpoint.test_delivered", { answer: answer ?? "" }) : t(open)}
    </p>
  );
}

/** Why an endpoint was paused, or since when it fails, and what it answered last. */
function Trouble({ endpoint }: { endpoint: Endpoint }) {
  const t = useAdminText();
  const optional = useAdminOptional();
  const { locale } = useBilling();
  const { paused_for, failing_since, last_error, last_status } = endpoint;
  if (!paused_for && !failing_since) return null;
  const answered = last_status ? String(last_status) : ((last_error && optional("delivery", last_error)) ?? last_error);
  const title = paused_for ? t(`endpoint.paused_for.${paused_for}`) : t("endpoint.failing_since", { time: format.dateTime(failing_since ?? "", locale) });
  return (
    <Notice tone={paused_for === "admin" ? "plain" : "warn"} title={title}>
      {answered && paused_for !== "admin" && t("endpoint.last", { answer: answered })} {paused_for && t("endpoint.kept")}
    </Notice>
  );
}
