import { Button, ButtonLink, download, ErrorNotice, Icon, Notice } from "@bitsleuth/billing-react";
import { useState } from "react";
import { EraseDialog } from "./EraseDialog.js";
import { GrantDialog } from "./GrantDialog.js";
import { useExport } from "./queries.js";
import { useAdminText } from "./text.js";

/** What can be done to a whole account; `known`: something is stored about the user. */
export function AccountActions({ userId, known }: { userId: string; known: boolean }) {
  const t = useAdminText();
  const [open, setOpen] = useState<"grant" | "erase" | null>(null);
  const everything = useExport(userId);
  const save = () =>
    everything.mutate(undefined, {
      onSuccess: (data) => download(`${userId}.json`, `${JSON.stringify(data, null, 2)}\n`, "application/json"),
    });
  return (
    <>
      <div className="bsb-row">
        <Button variant="primary" onClick={() => setOpen("grant")}>
          {t("grant")}
        </Button>
        {known && (
          <Button busy={everything.isPending} onClick={save}>
            <Icon name="download" size={16} />
            {t("export")}
          </Button>
        )}
        <ButtonLink href={`/console/audit?subject=${encodeURIComponent(userId)}`}>{t("audit")}</ButtonLink>
        {known && (
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
      {open === "erase" && <EraseDialog userId={userId} onClose={() => setOpen(null)} />}
    </>
  );
}
