import { Button, Dialog, ErrorNotice } from "@bitsleuth/billing-react";
import { useArchivePlan, type AdminPlan } from "./queries.js";
import { useAdminText } from "./text.js";

export function ArchiveDialog({ plan, onClose }: { plan: AdminPlan; onClose: () => void }) {
  const t = useAdminText();
  const archive = useArchivePlan();
  return (
    <Dialog onClose={onClose} title={t("archive.title", { plan: plan.name })} description={t("archive.about")}>
      {archive.isError && <ErrorNotice error={archive.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("cancel")}</Button>
        <Button variant="danger" busy={archive.isPending} onClick={() => archive.mutate(plan.plan_id, { onSuccess: onClose })}>
          {t("archive")}
        </Button>
      </div>
    </Dialog>
  );
}
