"use client";

import { useState } from "react";
import { useBilling } from "../provider.js";
import { signerOf } from "../signers/index.js";
import type { Signer } from "../session.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { ErrorNotice } from "../ui/Notice.js";
import { SignIn } from "./SignIn.js";

export interface StartFreeProps {
  /** Told before a sign-in begins, and after it failed. */
  onStarting: (starting: boolean) => void;
  /** Signed in, and what the free plan gives is read. */
  onStarted: () => void;
}

/** What the free plan has is open to everybody with a key: one click makes one. */
export function StartFree({ onStarting, onStarted }: StartFreeProps) {
  const t = useT();
  const { session, store, signer } = useBilling();
  const [busy, setBusy] = useState(false);
  const [ownKey, setOwnKey] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);

  async function start(signer: Promise<Signer>) {
    setBusy(true);
    setFailure(null);
    onStarting(true);
    try {
      await session.signIn(await signer);
      await arrive();
    } catch (error) {
      setFailure(error);
      onStarting(false);
    }
    setBusy(false);
  }

  async function arrive() {
    await store.refresh();
    onStarted();
  }

  return (
    <>
      {failure !== null && <ErrorNotice error={failure} />}
      <Button variant="primary" main busy={busy} onClick={() => void start(signerOf(session.ended, signer))}>
        {t("locked.free.start")}
      </Button>
      {!signer && (
        <Button variant="ghost" size="small" onClick={() => setOwnKey(true)}>
          {t("purchase.own_key")}
        </Button>
      )}
      {ownKey && (
        <Dialog onClose={() => setOwnKey(false)} title={t("signin.title")} description={t("signin.about")}>
          <SignIn existing onDone={() => void arrive()} />
        </Dialog>
      )}
    </>
  );
}
