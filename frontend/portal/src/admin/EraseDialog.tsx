import { Button, Dialog, ErrorNotice, Notice } from "@bitsleuth/billing-react";
import { useState } from "react";
import { navigate } from "../router.js";
import { Field } from "./parts.js";
import { useErase } from "./queries.js";
import { useAdminText } from "./text.js";

/** Takes a person out of the records for good, once their id has been typed; then says what went and what stayed. */
export function EraseDialog({ userId, onClose }: { userId: string; onClose: () => void }) {
  const t = useAdminText();
  const erase = useErase();
  const [typed, setTyped] = useState("");
  if (erase.data) {
    const leave = () => navigate("/console/users");
    return (
      <Dialog onClose={leave} title={t(erase.data.done ? "erase.done" : "erase.begun")}>
        <Notice tone={erase.data.done ? "good" : "warn"} live>
          <p>{t("erase.erased", { count: erase.data.erased_records })}</p>
          <p>{t("erase.kept", { count: erase.data.kept_ledger_entries })}</p>
          {!erase.data.done && <p>{t("erase.going_on")}</p>}
        </Notice>
        <div className="bsb-dialog-actions">
          <Button variant="primary" onClick={leave}>
            {t("close")}
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog onClose={onClose} title={t("erase.title")} description={<span className="bsb-mono">{userId}</span>}>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === userId) erase.mutate(userId);
        }}
      >
        <ul className="admin-points bsb-small">
          <li>{t("erase.goes")}</li>
          <li>{t("erase.stays")}</li>
          <li>{t("erase.provider")}</li>
        </ul>
        <Notice tone="bad">{t("erase.final")}</Notice>
        <Field id="erase-user" label={t("erase.type")}>
          {(field) => (
            <input {...field}
              className="bsb-input bsb-mono"
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              value={typed}
              onChange={(event) => setTyped(event.target.value.trim())}
            />
          )}
        </Field>
        {erase.isError && <ErrorNotice error={erase.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="danger" busy={erase.isPending} disabled={typed !== userId}>
            {t("erase.do")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
