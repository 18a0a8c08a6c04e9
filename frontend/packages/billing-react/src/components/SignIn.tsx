"use client";

import { useState } from "react";
import { useBilling, useInBrowser } from "../provider.js";
import {
  billingKeySigner,
  extensionSigner,
  isLockedBackup,
  keptKeys,
  restoreBillingKey,
  unlockBackup,
} from "../signers/index.js";
import type { Signer } from "../session.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice } from "../ui/Notice.js";
import { KeyName } from "./BillingKey.js";

export interface SignInProps {
  onDone?: () => void;
  /** For those who have a key already: no new one is offered, and restoring is open. */
  existing?: boolean;
}

/** Ways to be known to the service without an account: a key of this browser, a Nostr extension, a restored key. */
export function SignIn({ onDone, existing = false }: SignInProps) {
  const t = useT();
  const { session, signer: own } = useBilling();
  const [busy, setBusy] = useState<Signer["name"] | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const inBrowser = useInBrowser();
  const extension = inBrowser ? extensionSigner() : null;
  const [first, ...others] = inBrowser ? keptKeys() : [];
  const hasKey = first !== undefined;

  async function signIn(name: Signer["name"], signer: Signer | Promise<Signer>) {
    setBusy(name);
    setFailure(null);
    try {
      await session.signIn(await signer);
      onDone?.();
    } catch (error) {
      setFailure(error);
    }
    setBusy(null);
  }

  return (
    <div className="bsb bsb-stack">
      {own && (
        <div className="bsb-stack bsb:gap-2">
          <Button variant="primary" busy={busy === "host"} onClick={() => void signIn("host", own)}>
            <Icon name="key" />
            {t("signin.host")}
          </Button>
          <p className="bsb-2 bsb-small">{t("signin.host_about")}</p>
        </div>
      )}
      {(hasKey || !(existing || own)) && (
        <div className="bsb-stack bsb:gap-2">
          <Button
            variant={own ? "secondary" : "primary"}
            busy={busy === "billing-key"}
            onClick={() => void signIn("billing-key", billingKeySigner())}
          >
            <Icon name="key" />
            {t(hasKey ? "signin.with_key" : "signin.new_key")}
          </Button>
          <p className="bsb-2 bsb-small">
            {hasKey ? <KeyName of={first} /> : t("signin.new_key_about")}
          </p>
          {others.map((key) => (
            <Button key={key.secret} onClick={() => void signIn("billing-key", billingKeySigner(key.secret))}>
              <span>
                {t("signin.with_other")} <KeyName of={key} />
              </span>
            </Button>
          ))}
        </div>
      )}
      {extension && (
        <Button busy={busy === "nip07"} onClick={() => void signIn("nip07", extension)}>
          {t("signin.extension")}
        </Button>
      )}
      <Restore open={existing} onRestored={() => void signIn("billing-key", billingKeySigner())} />
      {failure !== null && <ErrorNotice error={failure} />}
    </div>
  );
}

const HASH = "#key=";

/** Whether this page was opened by a code that another device showed. */
export const wasScanned = () => takeFromLink() !== "";

/** The backup text of a link that was scanned from another device; nobody is signed in by a link alone. */
function takeFromLink(): string {
  if (typeof location === "undefined" || !location.hash.startsWith(HASH)) return "";
  return decodeURIComponent(location.hash.slice(HASH.length));
}

function Restore({ open, onRestored }: { open: boolean; onRestored: () => void }) {
  const t = useT();
  const [text, setText] = useState(takeFromLink);
  const [passphrase, setPassphrase] = useState("");
  const [fault, setFault] = useState<"backup_invalid" | "passphrase_wrong" | null>(null);
  const locked = isLockedBackup(text);
  async function restore() {
    const plain = locked ? await unlockBackup(text, passphrase) : text;
    if (plain === null) return setFault("passphrase_wrong");
    const restored = await restoreBillingKey(plain);
    setFault(restored ? null : "backup_invalid");
    if (!restored) return;
    if (location.hash.startsWith(HASH)) history.replaceState(history.state, "", location.pathname + location.search);
    onRestored();
  }
  return (
    <details open={open || text !== ""}>
      <summary className="bsb-summary">{t("signin.restore")}</summary>
      <form
        className="bsb-stack bsb:mt-3 bsb:gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          void restore();
        }}
      >
        <div className="bsb-field">
          <label className="bsb-label" htmlFor="bsb-backup">
            {t("signin.backup")}
          </label>
          <input
            id="bsb-backup"
            className="bsb-input bsb-mono"
            value={text}
            autoComplete="off"
            spellCheck={false}
            aria-invalid={fault === "backup_invalid"}
            aria-describedby={fault === "backup_invalid" ? "bsb-backup-error" : undefined}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        {locked && (
          <div className="bsb-field">
            <label className="bsb-label" htmlFor="bsb-unlock">
              {t("signin.passphrase")}
            </label>
            <input
              id="bsb-unlock"
              className="bsb-input"
              type="password"
              autoComplete="off"
              value={passphrase}
              aria-invalid={fault === "passphrase_wrong"}
              aria-describedby={fault === "passphrase_wrong" ? "bsb-backup-error" : undefined}
              onChange={(event) => setPassphrase(event.target.value)}
            />
          </div>
        )}
        {fault && (
          <p className="bsb-error" id="bsb-backup-error" role="alert">
            {t(`signin.${fault}`)}
          </p>
        )}
        <Button type="submit">{t("signin.restore_do")}</Button>
      </form>
    </details>
  );
}
