"use client";

import { useEffect, useId, useState, type FormEvent } from "react";
import { date } from "../format.js";
import { useBilling, useUserId } from "../provider.js";
import { signerOf } from "../signers/index.js";
import { Button } from "../ui/Button.js";
import { FieldFault, faultOf } from "../ui/FieldFault.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { readCode } from "./code.js";
import { usePreviewVoucher, useRedeemVoucher, type Given } from "./queries.js";
import { useVoucherText } from "./texts.js";
import { useWhat } from "./what.js";

/** What is wrong with the code that was typed. */
const FAULTS = ["malformed", "unknown", "used", "expired", "void"].map((word) => `voucher_${word}`);

export interface RedeemVoucherProps {
  /** To begin with; default: what stands behind the # of the page's address, as on a printed card. */
  code?: string;
}

const inAddress = () => (typeof location === "undefined" ? null : readCode(location.hash.slice(1)));

/** Type a code, see what it gives, redeem it. Whoever is not signed in is, with a key of this browser, on the way. */
export default function RedeemVoucher({ code: initialCode }: RedeemVoucherProps) {
  const t = useVoucherText();
  const what = useWhat();
  const id = useId();
  const { locale, session, signer } = useBilling();
  const signedIn = useUserId() !== null;
  const [typed, setTyped] = useState(() => initialCode ?? inAddress() ?? "");
  const [fault, setFault] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [seen, setSeen] = useState<Given | null>(null);
  const [done, setDone] = useState<Given | null>(null);
  useEffect(() => {
    // A code is worth money: it does not stay in the address. A second one may come while the page is open.
    function take() {
      const code = inAddress();
      if (code === null) return;
      history.replaceState(history.state, "", location.pathname + location.search);
      setTyped(code);
      setFault(false);
      setFailure(null);
      setSeen(null);
      setDone(null);
    }
    take();
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, []);
  const refused = faultOf(failure, FAULTS);
  const preview = usePreviewVoucher();
  const redeem = useRedeemVoucher();

  const change = (text: string) => {
    setTyped(text);
    setFault(false);
    setFailure(null);
    setSeen(null);
  };
  async function submit(event: FormEvent) {
    event.preventDefault();
    const code = readCode(typed);
    setFault(code === null);
    if (code === null) return;
    setBusy(true);
    setFailure(null);
    try {
      if (!signedIn) await session.signIn(await signerOf(session.ended, signer));
      if (seen) setDone(await redeem.mutateAsync(code));
      else setSeen(await preview.mutateAsync(code));
    } catch (error) {
      setFailure(error);
      setSeen(null);
    }
    setBusy(false);
  }

  return (
    <section className="bsb bsb-card bsb-stack" aria-labelledby={id}>
      <div className="bsb-stack bsb:gap-1">
        <h2 className="bsb-h2" id={id}>
          {t("title")}
        </h2>
        <p className="bsb-2 bsb-small">{t("about")}</p>
      </div>
      {done ? (
        <>
          <Notice tone="good" live>
            {t(done.already ? "already" : "done", { what: what(done) })} {when(done)}
          </Notice>
          <div>
            <Button
              onClick={() => {
                setDone(null);
                change("");
              }}
            >
              {t("other")}
            </Button>
          </div>
        </>
      ) : (
        <form className="bsb-stack" noValidate onSubmit={(event) => void submit(event)}>
          <div className="bsb-field">
            <label className="bsb-label" htmlFor={`${id}-code`}>
              {t("code")}
            </label>
            <input
              id={`${id}-code`}
              className="bsb-input bsb-mono bsb:max-w-sm"
              value={typed}
              maxLength={60}
              autoComplete="off"
              autoCapitalize="characters"
              spellCheck={false}
              placeholder="XXXXX-XXXXX-XXXXX-XXXXX"
              aria-invalid={fault || refused !== null}
              aria-describedby={fault || refused ? `${id}-fault` : `${id}-hint`}
              onChange={(event) => change(event.target.value)}
            />
            {refused ? (
              <FieldFault id={`${id}-fault`} of={refused} />
            ) : fault ? (
              <p className="bsb-error" id={`${id}-fault`} role="alert">
                {t("typo")}
              </p>
            ) : (
              <p className="bsb-2 bsb-tiny" id={`${id}-hint`}>
                {t("hint")}
              </p>
            )}
          </div>
          {seen && (
            <div className="bsb-stack bsb:gap-2" role="status">
              <p>
                {t(seen.already ? "already" : "gives", { what: what(seen) })} {when(seen)}
              </p>
              {seen.overlap && <Notice tone="warn">{beside(seen.overlap)}</Notice>}
            </div>
          )}
          {failure !== null && !refused && <ErrorNotice error={failure} />}
          {!signedIn && !signer && <p className="bsb-2 bsb-small">{t("new_key")}</p>}
          {!seen?.already && (
            <div>
              <Button type="submit" variant={seen ? "primary" : "secondary"} busy={busy} disabled={typed.trim() === ""}>
                {t(seen ? "redeem" : "check")}
              </Button>
            </div>
          )}
        </form>
      )}
    </section>
  );

  function when({ starts_at, ends_at, redeemed_at }: Given): string {
    if (ends_at === null) return t("for_good");
    const until = date(ends_at, locale);
    return starts_at > redeemed_at ? t("from_to", { from: date(starts_at, locale), until }) : t("until", { until });
  }

  function beside({ plan_name: plan, ends_at, renews }: NonNullable<Given["overlap"]>): string {
    if (ends_at === null) return t("beside_owned", { plan });
    return t(renews ? "beside_renews" : "beside", { plan, date: date(ends_at, locale) });
  }
}
