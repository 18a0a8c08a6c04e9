import { Button, ButtonLink, download, ErrorNotice, Icon, Notice } from "@bitsleuth/billing-react";
import { useState } from "react";
import { DaysDialog } from "./DaysDialog.js";
import { EraseDialog } from "./EraseDialog.js";
import { GrantDialog } from "./GrantDialog.js";
import { useMay } from "./may.js";
import { useExport } from "./queries.js";
import type { Subscription } from "./SubscriptionCard.js";
import { useAdminText } from "./text.js";

interface AccountActionsProps {
  userId: string;
  /** Something is stored about the user. */
  stored: boolean;
  planId: string | null;
  subscriptions: readonly Subscription[];
}

/** What can be done to a whole account. */
export function AccountActions({ userId, stored, planId, subscriptions }: AccountActionsProps) {
  const t = useAdminText();
  const may = useMay();
  const [open, setOpen] = useState<"grant" | "days" | "erase" | null>(null);
  const everything = useExport(userId);
  const save = () =>
    everything.mutate(undefined, {
      onSuccess: (data) => download(`${userId}.json`, `${JSON.stringify(data, null, 2)}\n`, "application/json"),
    });
  return (
    <>
      <div className="bsb-row">
        {may("POST /admin/users/{user_id}/grants") && (
          <Button variant="primary" onClick={() => setOpen("grant")}>
            {t("grant")}
          </Button>
        )}
        {may("POST /admin/users/{user_id}/days") && <Button onClick={() => setOpen("days")}>{t("days")}</Button>}
        {stored && may("GET /admin/users/{user_id}/export") && (
          <Button busy={everything.isPending} onClick={save}>
            <Icon name="download" size={16} />
            {t("export")}
          </Button>
        )}
        <ButtonLink href={`/console/audit?subject=${encodeURIComponent(userId)}`}>{t("audit")}</ButtonLink>
        {stored && may("DELETE /admin/users/{user_id}") && (
          <Button variant="danger" onClick={() => setOpen("erase")}>
            {t("erase")}
          </Button>
        )}
      </div>
      {everything.isError && <ErrorNotice error={everything.error} onRetry={save} />}
      {everything.data && (
        <Notice tone="good" live>
          {t("export.done", { count: everything.data.records.length, file: `${userId}.json` })}
        </Notice>
      )}
      {open === "grant" && <GrantDialog userId={userId} onClose={() => setOpen(null)} />}
      {open === "days" && <DaysDialog userId={userId} planId={planId} subscriptions={subscriptions} onClose={() => setOpen(null)} />}
      {open === "erase" && <EraseDialog userId={userId} onClose={() => setOpen(null)} />}
    </>
  );
}
