"use client";

import { ApiError } from "@bitsleuth/billing-api-client";
import { useId, useState, type FormEvent } from "react";
import { money, number, type Plan } from "../format.js";
import { useBilling } from "../provider.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/Notice.js";
import { useWalletCalls } from "./queries.js";
import { canScan, Scan } from "./Scan.js";
import { useWalletT } from "./texts.js";
import { WalletTrouble } from "./WalletTrouble.js";

interface ConnectWalletProps {
  plan: Plan;
  days: number;
  /** What the last term came to in satoshis, for a first idea of the ceiling. */
  lastSat: number | null;
  onDone: () => void;
}

/** Paste or scan the connection, set the ceiling, and read what will be asked, before anything is connected. */
export function ConnectWallet({ plan, days, lastSat, onDone }: ConnectWalletProps) {
  const t = useWalletT();
  const common = useT();
  const { locale } = useBilling();
  const id = useId();
  const { connect } = useWalletCalls(plan.group);
  const [text, setText] = useState("");
  const [most, setMost] = useState(lastSat === null ? "" : String(rounded(lastSat * 1.5)));
  const [scanning, setScanning] = useState(false);
  const [unlimited, setUnlimited] = useState(false);
  const sat = /^[1-9]\d{0,7}$/.test(most.trim()) ? Number(most) : null;
  const price = money(plan.price_cents, plan.currency, locale);
  const asksFor = { price, plan: plan.name, days, sat: number(sat ?? 0, locale) };
  const code = connect.error instanceof ApiError ? connect.error.code : "";
  const warned = code === "wallet_unlimited" || unlimited;

  function submit(event: FormEvent) {
    event.preventDefault();
    if (sat === null || text.trim() === "") return;
    connect.mutate(
      { connection: text.trim(), plan_id: plan.plan_id, most_sat: sat, accept_unlimited: unlimited },
      {
        onSuccess: () => {
          setText("");
          onDone();
        },
      },
    );
  }
  return (
    <form className="bsb-stack bsb:gap-4" onSubmit={submit} autoComplete="off">
      <div className="bsb-field">
        <label className="bsb-label" htmlFor={`${id}-text`}>
          {t("wallet.string")}
        </label>
        <input
          id={`${id}-text`}
          className="bsb-input"
          type="password"
          autoComplete="off"
          spellCheck={false}
          placeholder="nostr+walletconnect://…"
          aria-describedby={`${id}-hint`}
          required
          maxLength={4096}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <p className="bsb-small bsb-2" id={`${id}-hint`}>
          {t("wallet.string_hint", { sat: sat === null ? "…" : number(rounded(sat * 2.04), locale) })}
        </p>
      </div>
      {scanning ? (
        <Scan
          onFound={(found) => {
            setText(found);
            setScanning(false);
          }}
          onClose={() => setScanning(false)}
        />
      ) : (
        <div className="bsb-row">
          {canScan() && (
            <Button size="small" onClick={() => setScanning(true)}>
              {t("wallet.scan")}
            </Button>
          )}
          <a className="bsb-link bsb-small" href={`nostrnwc://connect?appname=${encodeURIComponent("BitSleuth")}`}>
            {t("wallet.open")}
          </a>
          <span className="bsb-small bsb-2">{t("wallet.open_hint")}</span>
        </div>
      )}
      <div className="bsb-field">
        <label className="bsb-label" htmlFor={`${id}-most`}>
          {t("wallet.most")}
        </label>
        <input
          id={`${id}-most`}
          className="bsb-input bsb:max-w-48"
          inputMode="numeric"
          pattern="[1-9][0-9]{0,7}"
          required
          aria-describedby={`${id}-most-hint`}
          value={most}
          onChange={(event) => setMost(event.target.value)}
        />
        <p className="bsb-small bsb-2" id={`${id}-most-hint`}>
          {lastSat === null
            ? t("wallet.most_hint", { currency: plan.currency })
            : t("wallet.most_hint_last", { sat: number(lastSat, locale) })}
        </p>
      </div>
      <p>{sat === null ? t("wallet.ask_open", asksFor) : t("wallet.ask", asksFor)}</p>
      {warned && (
        <label className="bsb-check">
          <input type="checkbox" checked={unlimited} onChange={(event) => setUnlimited(event.target.checked)} />
          <span>{t("wallet.unlimited")}</span>
        </label>
      )}
      {connect.isError &&
        (code === "wallet_not_ready" ? <WalletTrouble error={connect.error} /> : <ErrorNotice error={connect.error} />)}
      <div className="bsb-row">
        <Button type="submit" variant="primary" busy={connect.isPending}>
          {t("wallet.connect")}
        </Button>
        <Button variant="ghost" onClick={onDone}>
          {common("cancel")}
        </Button>
      </div>
    </form>
  );
}

/** To two digits: an idea, and no exact figure. */
function rounded(sat: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, sat))) - 1);
  return Math.ceil(sat / unit) * unit;
}
