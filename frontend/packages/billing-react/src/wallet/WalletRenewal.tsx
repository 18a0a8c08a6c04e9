"use client";

import { ApiError } from "@bitsleuth/billing-api-client";
import { useState } from "react";
import { Said } from "../components/Said.js";
import { date, dateTime, money, number, type Plan } from "../format.js";
import { useBilling } from "../provider.js";
import { once, usePlans } from "../queries.js";
import { AreYouSure } from "../ui/AreYouSure.js";
import { Button } from "../ui/Button.js";
import { ErrorNotice, Notice, NotRead } from "../ui/Notice.js";
import { SkeletonCard } from "../ui/Skeleton.js";
import { ConnectWallet } from "./ConnectWallet.js";
import { LimitFields, limitsOf, SaidLimits, saidOf, type Limits } from "./Limits.js";
import { useWalletCalls, useWallets, type Wallet } from "./queries.js";
import { useReturned, wayBack } from "./returned.js";
import { useWalletT } from "./texts.js";
import { useTroubleText, WalletTrouble } from "./WalletTrouble.js";

export interface WalletRenewalProps {
  group: string;
  /** What is renewed, as it is sold now: of what is prepaid; else what the wallet was connected for. */
  plan?: Plan | undefined;
  /** In the section of what is prepaid; else it is one of its own. */
  beside?: boolean;
}

/** A wallet that renews what is prepaid: connected, seen, tested, paused and removed in one place. */
export default function WalletRenewal({ group, plan: prepaid, beside = false }: WalletRenewalProps) {
  const t = useWalletT();
  const wallets = useWallets();
  const plans = usePlans();
  const anchor = `bsb-prepaid-${group}`;
  const back = useReturned(anchor);
  const [opened, setConnecting] = useState(false);
  const connecting = opened || back.text !== "";
  const [said, setSaid] = useState<string | null>(null);
  if (!wallets.data) {
    return !beside && wallets.isPending ? <SkeletonCard heading lines={3} /> : <NotRead of={wallets} title={t("wallet.title")} />;
  }
  const wallet = wallets.data.wallets.find((candidate) => candidate.group === group);
  if (!wallet && said === null && !(beside && wallets.data.available)) return null;
  const plan = beside ? prepaid : plans.data?.plans.find(({ plan_id }) => plan_id === wallet?.plan_id);
  const Part = beside ? "div" : "section";
  return (
    <Part className={beside ? "bsb-stack bsb:gap-3" : "bsb-card bsb-stack"} {...(!beside && { "aria-labelledby": anchor })}>
      {beside ? (
        <h3 className="bsb:font-semibold">{t("wallet.title")}</h3>
      ) : (
        <h2 className="bsb-h2" id={anchor}>
          {t("wallet.title")}
        </h2>
      )}
      {said && <Said text={said} onGone={() => setSaid(null)} />}
      {wallet && !connecting && (
        <Connected
          wallet={wallet}
          onAnew={plan ? () => setConnecting(true) : undefined}
          onSaid={setSaid}
        />
      )}
      {!wallet && !connecting && beside && (
        <>
          <p className="bsb-2">{t("wallet.about")}</p>
          {plan && (
            <div className="bsb-row">
              <Button onClick={() => setConnecting(true)}>{t("wallet.connect")}</Button>
            </div>
          )}
        </>
      )}
      {connecting && plan && (
        <ConnectWallet
          plan={plan}
          days={wallets.data.days_before}
          lastSat={wallets.data.last_sat}
          key={back.text}
          brought={back.text}
          backTo={wayBack(anchor)}
          onDone={() => {
            back.taken();
            setConnecting(false);
          }}
        />
      )}
    </Part>
  );
}

interface ConnectedProps {
  wallet: Wallet;
  onAnew: (() => void) | undefined;
  onSaid: (text: string) => void;
}

function Connected({ wallet, onAnew, onSaid }: ConnectedProps) {
  const t = useWalletT();
  const { locale } = useBilling();
  const { test, set, remove } = useWalletCalls(wallet.group);
  const [removing, setRemoving] = useState(false);
  const [ceiling, setCeiling] = useState<string | null>(null);
  const [limits, setLimits] = useState<Limits | null>(null);
  const agreeable = wallet.trouble === "price_raised" || wallet.trouble === "plan_changed";
  const failed = [set.error, remove.error].find((error) => error !== null);
  const paused = wallet.state === "paused";
  return (
    <>
      <State wallet={wallet} />
      <Connection wallet={wallet} />
      <SaidLimits wallet={wallet} />
      {test.isError && (isNotReady(test.error) ? <WalletTrouble error={test.error} /> : <ErrorNotice error={test.error} />)}
      {failed != null && <ErrorNotice error={failed} />}
      {ceiling !== null && (
        <form
          className="bsb-row bsb:items-end"
          onSubmit={(event) => {
            event.preventDefault();
            set.mutate({ most_sat: Number(ceiling) }, { onSuccess: () => setCeiling(null) });
          }}
        >
          <div className="bsb-field">
            <label className="bsb-label" htmlFor={`bsb-ceiling-${wallet.group}`}>
              {t("wallet.most")}
            </label>
            <input
              id={`bsb-ceiling-${wallet.group}`}
              className="bsb-input bsb:max-w-48"
              inputMode="numeric"
              pattern="[1-9][0-9]{0,7}"
              required
              value={ceiling}
              onChange={(event) => setCeiling(event.target.value)}
            />
          </div>
          <Button type="submit" variant="primary" busy={set.isPending}>
            {t("wallet.save")}
          </Button>
          <Button variant="ghost" onClick={() => setCeiling(null)}>
            {t("wallet.cancel")}
          </Button>
        </form>
      )}
      {limits !== null && (
        <form
          className="bsb-stack bsb:gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            set.mutate({ said: saidOf(limits) }, { onSuccess: () => setLimits(null) });
          }}
        >
          <p className="bsb-small bsb-2">{t("wallet.said_hint")}</p>
          <LimitFields value={limits} onChange={setLimits} endAlone={wallet.connection?.budget != null} />
          <div className="bsb-row">
            <Button type="submit" size="small" variant="primary" busy={set.isPending}>
              {t("wallet.save")}
            </Button>
            <Button size="small" variant="ghost" onClick={() => setLimits(null)}>
              {t("wallet.cancel")}
            </Button>
          </div>
        </form>
      )}
      {removing ? (
        <AreYouSure
          keep={t("wallet.remove_keep")}
          onKeep={() => setRemoving(false)}
          go={t("wallet.remove")}
          onGo={() => once(remove.mutateAsync(), () => onSaid(t("wallet.removed")))}
          busy={remove.isPending}
        >
          {t("wallet.remove_sure")}
        </AreYouSure>
      ) : (
        <div className="bsb-row">
          {agreeable && wallet.price_now_cents !== null && (
            <Button
              size="small"
              variant="primary"
              busy={set.isPending}
              onClick={() => set.mutate({ price_cents: wallet.price_now_cents })}
            >
              {t("wallet.agree", { price: money(wallet.price_now_cents, wallet.currency_now ?? wallet.currency, locale) })}
            </Button>
          )}
          <Button
            size="small"
            busy={test.isPending}
            onClick={() => test.mutate(undefined, { onSuccess: () => onSaid(t("wallet.test_done")) })}
          >
            {t("wallet.test")}
          </Button>
          <Button size="small" onClick={() => setCeiling(String(wallet.most_sat))}>
            {t("wallet.change_most")}
          </Button>
          <Button size="small" onClick={() => setLimits(limitsOf(wallet))}>
            {t("wallet.said_change")}
          </Button>
          <Button size="small" busy={set.isPending} onClick={() => set.mutate({ paused: !paused })}>
            {t(paused ? "wallet.go_on" : "wallet.pause")}
          </Button>
          {onAnew && (
            <Button size="small" variant="ghost" onClick={onAnew}>
              {t("wallet.connect_anew")}
            </Button>
          )}
          <Button size="small" variant="ghost" onClick={() => setRemoving(true)}>
            {t("wallet.remove")}
          </Button>
        </div>
      )}
    </>
  );
}

/** How it stands, in a sentence or two. */
function State({ wallet }: { wallet: Wallet }) {
  const t = useWalletT();
  const { locale } = useBilling();
  const text = useTroubleText();
  const price = money(wallet.price_cents, wallet.currency, locale);
  const agreed = { price, sat: number(wallet.most_sat, locale), days: wallet.days_before };
  const more = [
    wallet.by_hand_from && t("wallet.by_hand_from", { time: dateTime(wallet.by_hand_from, locale) }),
    wallet.state === "trouble" && wallet.asks_at && t("wallet.next_try", { time: dateTime(wallet.asks_at, locale) }),
  ].filter(Boolean);
  const why = wallet.trouble && text(wallet.trouble, wallet);
  if (wallet.state === "trouble" || wallet.state === "given_up") {
    return (
      <Notice tone="warn">
        {[why, ...more, wallet.state === "given_up" && t("wallet.given_up")].filter(Boolean).join(" ")}
      </Notice>
    );
  }
  const sentence = {
    waiting: () => t("wallet.waiting", { ...agreed, date: date(wallet.asks_at ?? wallet.agreed_at, locale) }),
    under_way: () => t("wallet.under_way"),
    paused: () => t("wallet.paused"),
    nothing_prepaid: () => t("wallet.nothing_prepaid", agreed),
  }[wallet.state];
  return (
    <p aria-live="polite">
      {[why, sentence(), ...more, wallet.renewed_at && t("wallet.renewed", { date: date(wallet.renewed_at, locale) })]
        .filter(Boolean)
        .join(" ")}
    </p>
  );
}

/** Which wallet it is, and what it lets us spend. Nothing that could pay. */
function Connection({ wallet }: { wallet: Wallet }) {
  const t = useWalletT();
  const { locale } = useBilling();
  const { connection } = wallet;
  if (!connection) return null;
  const budget = connection.budget;
  // Wallets keep one per cent, and at least 10 sat, for the fees of the network.
  const needed = wallet.most_sat + Math.max(10, Math.ceil(wallet.most_sat / 100));
  const values = budget && {
    used: number(budget.used_sat, locale),
    total: number(budget.total_sat ?? 0, locale),
    date: budget.renews_at ? date(budget.renews_at, locale) : "",
    seen: date(connection.seen_at, locale),
  };
  return (
    <div className="bsb-small bsb-2">
      <p>{t("wallet.connected", { key: connection.key_end, relays: connection.relays.join(", ") })}</p>
      {budget && values && (
        <p>
          {budget.total_sat === null
            ? t("wallet.budget_none")
            : t(budget.renews_at ? "wallet.budget_until" : "wallet.budget", values)}
          {budget.total_sat !== null && budget.total_sat < needed && ` ${t("wallet.budget_small")}`}
        </p>
      )}
    </div>
  );
}

const isNotReady = (error: unknown) => error instanceof ApiError && error.code === "wallet_not_ready";
