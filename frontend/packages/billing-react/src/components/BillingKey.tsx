"use client";

import { useEffect, useState } from "react";
import { download } from "../csv.js";
import { useBilling } from "../provider.js";
import { exportBillingKey } from "../signers/index.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { CopyButton, CopyLine } from "../ui/CopyButton.js";
import { Icon } from "../ui/Icon.js";
import { Notice } from "../ui/Notice.js";

/** The key that stands for the account: who holds it has the plan, so it asks to be backed up. */
export function BillingKey() {
  const t = useT();
  const { session } = useBilling();
  const [backup, setBackup] = useState<string | null>(null);
  const [shown, setShown] = useState(false);
  useEffect(() => void exportBillingKey().then(setBackup), []);
  return (
    <section className="bsb-card bsb-stack" aria-labelledby="bsb-identity">
      <h2 className="bsb-h2" id="bsb-identity">
        {t("identity.title")}
      </h2>
      <dl className="bsb-facts bsb:grid-cols-[auto_minmax(0,1fr)] bsb:items-center">
        <dt>{t("identity.user")}</dt>
        <dd className="bsb:flex bsb:items-center bsb:justify-end bsb:gap-1">
          <span className="bsb-mono">{session.userId}</span>
          <CopyButton value={session.userId ?? ""} what={t("identity.user")} />
        </dd>
      </dl>
      {backup && (
        <>
          <Notice tone="warn" title={t("identity.backup")}>
            {t("identity.backup_about")}
          </Notice>
          {shown && <CopyLine value={backup} what={t("signin.backup")} />}
        </>
      )}
      <div className="bsb-row">
        {backup && (
          <>
            <Button onClick={() => download("bitsleuth-billing-key.txt", `${backup}\n`, "text/plain")}>
              <Icon name="download" size={16} />
              {t("identity.save")}
            </Button>
            <Button variant="ghost" aria-expanded={shown} onClick={() => setShown(!shown)}>
              {t(shown ? "identity.hide" : "identity.show")}
            </Button>
          </>
        )}
        <Button variant={backup ? "ghost" : "secondary"} onClick={() => session.signOut()}>
          {t("signout")}
        </Button>
      </div>
    </section>
  );
}
