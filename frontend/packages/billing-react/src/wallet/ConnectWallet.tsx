"use client";

import { ApiError } from "@bitsleuth/billing-api-client";
import { useId, useState, type FormEvent } from "react";
import { money, number, type Plan } from "../format.js";
import { useBilling } from "../provider.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { FieldFault, faultOf } from "../ui/FieldFault.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { LimitFields, NO_LIMITS, saidOf } from "./Limits.js";
import { useWalletCalls } from "./queries.js";
import { canScan, Scan } from "./Scan.js";
import { useWalletT } from "./texts.js";
import { WalletTrouble } from "./WalletTrouble.js";

/** What is wrong with the connection that was pasted. */
const FAULTS = ["wallet_connection_unreadable", "wallet_connection_incomplete", "wallet_relay_refused"];

interface ConnectWalletProps {
  plan: Plan;
  days: number;
  /** What the last term came to in satoshis, for a first idea of the ceiling. */
  lastSat: number | null;
  /** The connection that the wallet has brought back already. */
  brought?: string;
  /** Where a wallet on this device brings its owner back to. */
  backTo?: string;
  onDone: () => void;
}

/** Paste or scan the connection, set the ceiling, and read what will be asked, before anything is connected. */
export function ConnectWallet({ plan, days, lastSat, brought = "", backTo, onDone }: ConnectWalletProps) {
  const t = useWalletT();
  const common = useT();
  const { locale } = useBilling();
  const id = useId();
  const { connect } = useWalletCalls(plan.group);
  const [text, setText] = useState(brought);
  const [limits, setLimits] = useState(NO_LIMITS);
  const [most, setMost] = useState(lastSat === null ? "" : String(rounded(lastSat * 1.5)));
  const [scanning, setScanning] = useState(false);
  const [unlimited, setUnlimited] = useState(false);
  const sat = /^[1-9]\d{0,7}$/.test(most.trim()) ? Number(most) : null;
  const price = money(plan.price_cents, plan.currency, locale);
  const asksFor = { price, plan: plan.name, days, sat: number(sat ?? 0, locale) };
  const code = connect.error instanceof ApiError ? connect.error.code : "";
  const fault = faultOf(connect.error, FAULTS);
  const warned = code === "wallet_unlimited" || unlimited;

  function submit(event: FormEvent) {
    event.preventDefault();
    if (sat === null || text.trim() === "") return;
    connect.mutate(
      { connection: text.trim(), plan_id: plan.plan_id, most_sat: sat, accept_unlimited: unlimited, said: saidOf(limits) },
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
      {brought && (
        <Notice tone="good" live>
          {t("wallet.returned")}
        </Notice>
      )}
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
          aria-invalid={fault !== null}
          aria-describedby={`${fault ? `${id}-fault ` : ""}${id}-hint`}
          required
          maxLength={4096}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <FieldFault id={`${id}-fault`} of={fault} />
        <p className="bsb-small bsb-2" id={`${id}-hint`}>
          {t("wallet.string_hint", { sat: sat === null ? "…" : number(rounded(sat * 2.04), locale) })}
        </p>
      </div>
      {scanning ? (
        <Scan
          onFound={(scanned) => {
            setText(scanned);
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
          <a className="bsb-link bsb-small" href={deepLink(backTo)}>
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
      <details>
        <summary className="bsb-summary">{t("wallet.said_open")}</summary>
        <div className="bsb-stack bsb:mt-3 bsb:gap-3">
          <p className="bsb-small bsb-2">{t("wallet.said_hint")}</p>
          <LimitFields value={limits} onChange={setLimits} />
        </div>
      </details>
      <p>{sat === null ? t("wallet.ask_open", asksFor) : t("wallet.ask", asksFor)}</p>
      {warned && (
        <label className="bsb-check">
          <input type="checkbox" checked={unlimited} onChange={(event) => setUnlimited(event.target.checked)} />
          <span>{t("wallet.unlimited")}</span>
        </label>
      )}
      {connect.isError && !fault &&
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

function deepLink(backTo: string | undefined): string {
  const asked = { appname: "BitSleuth", ...(backTo ? { callback: backTo } : {}) };
  return `nostrnwc://connect?${Object.entries(asked).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")}`;
}

/** To two digits: an idea, and no exact figure. */
function rounded(sat: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, sat))) - 1);
  return Math.ceil(sat / unit) * unit;
}
