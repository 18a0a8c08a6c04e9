"use client";

import { lazy, Suspense, useEffect, useState } from "react";
import { download } from "../csv.js";
import { exportBillingKey, lockBackup, noteKey } from "../signers/index.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { CopyLine } from "../ui/CopyButton.js";
import { Icon } from "../ui/Icon.js";
import { Skeleton } from "../ui/Skeleton.js";

// With its encoder, only for those who ask for a code.
const QrCode = lazy(async () => ({ default: (await import("../ui/QrCode.js")).QrCode }));

/** Ways to have the key elsewhere: a file, a text to copy, a code for paper or a second device; locked if one likes. */
export function SaveKey({ secret }: { secret: string }) {
  const t = useT();
  const [backup, setBackup] = useState<string | null>(null);
  const [passphrase, setPassphrase] = useState("");
  const [locked, setLocked] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [shown, setShown] = useState<"text" | "code" | null>(null);
  useEffect(() => void exportBillingKey(secret).then(setBackup), [secret]);
  const text = passphrase === "" ? backup : locked;

  const saved = () => noteKey(secret, { saved: true });
  async function lock() {
    setBusy(true);
    const sealed = backup && (await lockBackup(backup, passphrase));
    setLocked(sealed);
    setBusy(false);
    return sealed;
  }
  async function ready(): Promise<string | null> {
    return passphrase === "" ? backup : (locked ?? (await lock()));
  }
  async function toFile() {
    const ours = await ready();
    if (!ours) return;
    download("bitsleuth-billing-key.txt", `${ours}\n`, "text/plain");
    saved();
  }
  async function show(what: "text" | "code") {
    if (shown !== what) await ready();
    setShown(shown === what ? null : what);
  }
  return (
    <div className="bsb-stack bsb:gap-3">
      <div className="bsb-row">
        <Button busy={busy} onClick={() => void toFile()}>
          <Icon name="download" size={16} />
          {t("identity.save")}
        </Button>
        <Button variant="ghost" aria-expanded={shown === "text"} onClick={() => void show("text")}>
          {t(shown === "text" ? "identity.hide" : "identity.show")}
        </Button>
        <Button variant="ghost" aria-expanded={shown === "code"} onClick={() => void show("code")}>
          {t("identity.code")}
        </Button>
      </div>
      {shown === "text" && text && <CopyLine value={text} what={t("signin.backup")} />}
      {shown === "code" && text && (
        <div className="bsb-stack bsb:gap-2 bsb-print">
          <p className="bsb-small bsb-2">{t("identity.code_about")}</p>
          <Suspense fallback={<Skeleton width="13rem" height="13rem" />}>
            <QrCode text={linkTo(text)} label={t("signin.backup")} />
          </Suspense>
        </div>
      )}
      {shown !== null && (
        <div className="bsb-row">
          {shown === "code" && <Button onClick={() => globalThis.print()}>{t("print")}</Button>}
          <Button onClick={saved}>{t("identity.saved_do")}</Button>
        </div>
      )}
      <details>
        <summary className="bsb-summary">{t("identity.passphrase")}</summary>
        <div className="bsb-field bsb:mt-2">
          <label className="bsb-label" htmlFor="bsb-passphrase">
            {t("signin.passphrase")}
          </label>
          <input
            id="bsb-passphrase"
            className="bsb-input"
            type="password"
            autoComplete="new-password"
            value={passphrase}
            onChange={(event) => {
              setPassphrase(event.target.value);
              setLocked(null);
              setShown(null);
            }}
          />
          <p className="bsb-tiny bsb-2">{t("identity.passphrase_about")}</p>
        </div>
      </details>
    </div>
  );
}

/** A second device opens it with its camera; the part behind # is sent to nobody. */
function linkTo(backup: string): string {
  return `${location.origin}${location.pathname.startsWith("/account") ? location.pathname : "/account/billing"}#key=${backup}`;
}
