import { Button, Dialog, ErrorNotice, Notice } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Field } from "./parts.js";
import { useArchivePlan, type AdminPlan } from "./queries.js";
import { useAdminText } from "./text.js";

interface ArchiveDialogProps {
  plan: AdminPlan;
  /** Everybody has it: archiving takes something from all who bought nothing. */
  free: boolean;
  onClose: () => void;
}

export function ArchiveDialog({ plan, free, onClose }: ArchiveDialogProps) {
  const t = useAdminText();
  const archive = useArchivePlan();
  const [typed, setTyped] = useState("");
  return (
    <Dialog onClose={onClose} title={t("archive.title", { plan: plan.name })} description={t("archive.about")}>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          archive.mutate({ plan_id: plan.plan_id, anyway: free }, { onSuccess: onClose });
        }}
      >
        {free && (
          <>
            <Notice tone="bad" title={t("archive.free")}>
              {t("archive.free.about")}
            </Notice>
            <Field id="archive-confirm" label={t("archive.confirm", { plan: plan.plan_id })}>
              {(field) => <input {...field} className="bsb-input bsb-mono" autoComplete="off" spellCheck={false} value={typed} onChange={(event) => setTyped(event.target.value)} />}
            </Field>
          </>
        )}
        {archive.isError && <ErrorNotice error={archive.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="danger" busy={archive.isPending} disabled={free && typed !== plan.plan_id}>
            {t("archive")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
