import type { Schemas } from "@bitsleuth/billing-api-client";
import { ApiError } from "@bitsleuth/billing-api-client";
import { Button, Dialog, ErrorNotice, Notice } from "@bitsleuth/billing-react";
import { useState } from "react";
import { AskDialog } from "./AskDialog.js";
import type { Endpoint } from "./EndpointsPage.js";
import { Field, Id } from "./parts.js";
import { useChangeEndpoint, useCreateEndpoint, useRemoveEndpoint, useRotateSecret } from "./queries.js";
import { useAdminOptional, useAdminText } from "./text.js";

interface EndpointDialogProps {
  /** Without one: a new endpoint, whose secret is shown at the end. */
  endpoint?: Endpoint;
  types: readonly string[];
  onClose: () => void;
}

/** Adds an endpoint, or changes where events go and which. */
export function EndpointDialog({ endpoint, types, onClose }: EndpointDialogProps) {
  const t = useAdminText();
  const optional = useAdminOptional();
  const create = useCreateEndpoint();
  const change = useChangeEndpoint();
  const [url, setUrl] = useState(endpoint?.url ?? "");
  const [description, setDescription] = useState(endpoint?.description ?? "");
  const [chosen, setChosen] = useState<readonly string[]>(endpoint?.event_types ?? ["EntitlementsChanged"]);
  const saving = endpoint ? change : create;
  const fault = urlFault(saving.error);
  if (create.data) return <TheSecret secret={create.data.secret} onClose={onClose} />;
  const submit = () => {
    const body = { url: url.trim(), description: description.trim(), event_types: [...chosen] };
    if (endpoint) change.mutate({ endpoint_id: endpoint.endpoint_id, body: { ...body, version: endpoint.version } }, { onSuccess: onClose });
    else create.mutate(body);
  };
  return (
    <Dialog onClose={onClose} title={t(endpoint ? "endpoint.change" : "endpoint.add")} description={t("endpoint.about")} width="36rem">
      <form
        className="bsb-stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Field
          id="endpoint-url"
          label={t("endpoint.url")}
          hint={t("endpoint.url.about")}
          fault={fault === null ? undefined : (optional("endpoint.url", fault) ?? t("endpoint.url.bad_url"))}
        >
          {(field) => (
            <input {...field} className="bsb-input bsb-mono" type="url" autoComplete="off" spellCheck={false} maxLength={500} value={url} onChange={(e) => setUrl(e.target.value)} />
          )}
        </Field>
        <Field id="endpoint-description" label={t("endpoint.description")}>
          {(field) => <input {...field} className="bsb-input" maxLength={200} value={description} onChange={(e) => setDescription(e.target.value)} />}
        </Field>
        <fieldset className="bsb-field">
          <legend className="bsb-label">{t("endpoint.events")}</legend>
          <div className="bsb-stack bsb:gap-1">
            {types.map((type) => (
              <label key={type} className="bsb-check bsb-small">
                <input
                  type="checkbox"
                  checked={chosen.includes(type)}
                  onChange={(e) => setChosen(e.target.checked ? [...chosen, type] : chosen.filter((name) => name !== type))}
                />
                <span>
                  <span className="bsb-mono">{type}</span> <span className="bsb-2">{optional("told", type)}</span>
                </span>
              </label>
            ))}
          </div>
        </fieldset>
        {saving.error && fault === null && <ErrorNotice error={saving.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="primary" busy={saving.isPending} disabled={url.trim() === "" || chosen.length === 0}>
            {t(endpoint ? "flag.save" : "endpoint.add")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** What the service says of a URL that no event may go to. */
function urlFault(error: unknown): string | null {
  if (!(error instanceof ApiError)) return null;
  const { reason, errors } = error.problem as { reason?: string; errors?: readonly { path: string }[] };
  return errors?.some(({ path }) => path === "url") ? (reason ?? "bad_url") : null;
}

/** A new secret beside the old one, shown once. */
export function SecretDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const t = useAdminText();
  const rotate = useRotateSecret();
  if (rotate.data) return <TheSecret secret={rotate.data.secret} onClose={onClose} />;
  return (
    <Dialog onClose={onClose} title={t("endpoint.new_secret")} description={t("endpoint.new_secret.about")}>
      {rotate.error && <ErrorNotice error={rotate.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("cancel")}</Button>
        <Button variant="primary" busy={rotate.isPending} onClick={() => rotate.mutate(endpoint.endpoint_id)}>
          {t("endpoint.new_secret")}
        </Button>
      </div>
    </Dialog>
  );
}

function TheSecret({ secret, onClose }: { secret: Schemas["EndpointWithSecret"]["secret"]; onClose: () => void }) {
  const t = useAdminText();
  return (
    <Dialog onClose={onClose} title={t("endpoint.secret")} description={t("endpoint.secret.about")}>
      <Notice tone="warn" live>
        {t("endpoint.secret.once")}
      </Notice>
      <Id value={secret} what={t("endpoint.secret")} />
      <div className="bsb-dialog-actions">
        <Button variant="primary" onClick={onClose}>
          {t("endpoint.secret.kept")}
        </Button>
      </div>
    </Dialog>
  );
}

export function RemoveEndpointDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const t = useAdminText();
  const remove = useRemoveEndpoint();
  const onAct = () => remove.mutate(endpoint.endpoint_id, { onSuccess: onClose });
  const about = t("endpoint.remove.about", { url: endpoint.url });
  return <AskDialog title={t("endpoint.remove")} about={about} act={t("endpoint.remove")} acting={remove} onAct={onAct} onClose={onClose} />;
}
