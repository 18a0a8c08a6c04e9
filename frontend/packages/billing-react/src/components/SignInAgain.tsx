"use client";

import { useState } from "react";
import { useBilling } from "../provider.js";
import { signerOf } from "../signers/index.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { SignIn } from "./SignIn.js";

/** For whoever is not signed in: of a sign-in that ended by itself, the way back into the same account comes first. */
export function SignInAgain({ onDone }: { onDone?: () => void }) {
  const t = useT();
  const { session, signer } = useBilling();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const ended = session.ended ?? null;
  async function back() {
    setBusy(true);
    setFailure(null);
    try {
      await session.signIn(await signerOf(ended, signer));
      onDone?.();
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  }
  return (
    <>
      <h2 className="bsb-h2">{t("signin.title")}</h2>
      {ended?.by ? (
        <>
          <Notice tone="warn" live title={t("signin.ended")}>
            {t("signin.ended_about", { account: ended.userId ?? "" })}
          </Notice>
          {failure !== null && <ErrorNotice error={failure} />}
          <Button variant="primary" busy={busy} onClick={() => void back()}>
            <Icon name="key" />
            {t("signin.back")}
          </Button>
          <details>
            <summary className="bsb-summary">{t("signin.otherwise")}</summary>
            <div className="bsb:mt-3">
              <SignIn existing {...(onDone ? { onDone } : {})} />
            </div>
          </details>
        </>
      ) : (
        <>
          <p className="bsb-2">{t("signin.about")}</p>
          <SignIn {...(onDone ? { onDone } : {})} />
        </>
      )}
    </>
  );
}
