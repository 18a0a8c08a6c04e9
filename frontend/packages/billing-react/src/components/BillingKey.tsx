"use client";

import { useState } from "react";
import type { AccountKey } from "../key.js";
import { useBilling } from "../provider.js";
import { billingKeySigner, type KeptKey } from "../signers/index.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { CopyButton } from "../ui/CopyButton.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { SaveKey } from "./SaveKey.js";
import { SignOutDialog } from "./SignOutDialog.js";

/** The key that stands for the account: who holds it has the plan, so it asks to be saved until it is. */
export function BillingKey({ account }: { account: AccountKey }) {
  const t = useT();
  const { session } = useBilling();
  const [leaving, setLeaving] = useState(false);
  const { key, all } = account;
  const others = all.filter((each) => each.secret !== key?.secret);
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
      {key && !key.saved && (
        <Notice tone="warn" title={t("identity.backup")}>
          {t("identity.backup_about")}
        </Notice>
      )}
      {key && key.saved && <p className="bsb-2 bsb-small">{t("identity.is_saved")}</p>}
      {key && <SaveKey key={key.secret} secret={key.secret} />}
      {others.length > 0 && <OtherKeys keys={others} />}
      <div className="bsb-row">
        <Button variant="ghost" onClick={() => setLeaving(true)}>
          {t("signout")}
        </Button>
      </div>
      {leaving && <SignOutDialog onClose={() => setLeaving(false)} />}
    </section>
  );
}

/** Further accounts of this browser, each a key of its own. */
function OtherKeys({ keys }: { keys: readonly KeptKey[] }) {
  const t = useT();
  const { session } = useBilling();
  const [failure, setFailure] = useState<unknown>(null);
  async function change(secret: string) {
    setFailure(null);
    try {
      await session.signIn(await billingKeySigner(secret));
    } catch (error) {
      setFailure(error);
    }
  }
  return (
    <div className="bsb-stack bsb:gap-2">
      <p className="bsb-label">{t("identity.others")}</p>
      {keys.map((key) => (
        <div key={key.secret} className="bsb-row bsb-between bsb-small">
          <span>
            <KeyName of={key} />
            {!key.saved && <span className="bsb-2"> · {t("identity.unsaved")}</span>}
          </span>
          <Button size="small" onClick={() => void change(key.secret)}>
            {t("identity.change_to")}
          </Button>
        </div>
      ))}
      {failure !== null && <ErrorNotice error={failure} />}
    </div>
  );
}

/** The account's id, short, and the plan it had when it was last looked at. */
export function KeyName({ of }: { of: KeptKey }) {
  const t = useT();
  return (
    <>
      <span className="bsb-mono">{of.userId ? short(of.userId) : t("identity.unnamed")}</span>
      {of.plan && ` · ${of.plan}`}
    </>
  );
}

const short = (userId: string) => (userId.length > 16 ? `${userId.slice(0, 12)}…` : userId);
