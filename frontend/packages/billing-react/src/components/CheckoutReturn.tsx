"use client";

import { ApiError, unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { lazy, Suspense, useEffect, useState, type ReactNode } from "react";
import { useBilling, useInBrowser, useUserId } from "../provider.js";
import { useAccountKey } from "../key.js";
import { usePlans, useRefreshAll, useStatus } from "../queries.js";
import type { KeptKey } from "../signers/index.js";
import { useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { Icon, type IconName } from "../ui/Icon.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { SkeletonCard } from "../ui/Skeleton.js";
import { SaveKey } from "./SaveKey.js";
import { SignInAgain } from "./SignInAgain.js";

// Few buy for others.
const GiftReady = lazy(() => import("../vouchers/GiftReady.js"));

type Confirmation = Schemas["Confirmation"];

export interface CheckoutReturnProps {
  /** Default: `checkout_id` in the page's address. */
  checkoutId?: string;
  /** Where to go when it worked. */
  continueUrl?: string;
  pricingUrl?: string;
  accountUrl?: string;
}

/** Back from checkout: asks the service to look at the provider until it is settled, whether or not a webhook came. */
export function CheckoutReturn(props: CheckoutReturnProps) {
  const { continueUrl = "/", pricingUrl = "/pricing", accountUrl = "/account/billing" } = props;
  const t = useT();
  const inBrowser = useInBrowser();
  const checkoutId = props.checkoutId ?? (inBrowser ? (new URLSearchParams(location.search).get("checkout_id") ?? "") : "");
  const canAsk = useUserId() !== null && checkoutId !== "";
  const refreshAll = useRefreshAll();
  const { confirmation, error, gaveUp, askAgain } = useConfirmation(checkoutId, canAsk);
  const { key } = useAccountKey(useStatus().data);
  const status = confirmation?.status;
  useEffect(() => {
    if (status === "completed") void refreshAll();
  }, [status, refreshAll]);

  if (inBrowser && !canAsk && checkoutId !== "") {
    return (
      <section className="bsb bsb-card bsb-stack bsb:mx-auto bsb:max-w-md">
        <SignInAgain />
      </section>
    );
  }
  if (inBrowser && !canAsk) {
    return (
      <Outcome icon="info" title={t("return.unknown")} about={t("return.unknown.about")}>
        <ButtonLink href={accountUrl}>{t("return.account")}</ButtonLink>
      </Outcome>
    );
  }
  if (error !== undefined) {
    return (
      <Outcome icon="alert" title={t("return.error")} about={t("return.error.about")}>
        <ErrorNotice error={error} onRetry={askAgain} />
        <ButtonLink href={accountUrl}>{t("return.account")}</ButtonLink>
      </Outcome>
    );
  }
  if (status === "completed" && confirmation?.gift) {
    return (
      <div className="bsb bsb-stack bsb:gap-6">
        <Suspense fallback={<SkeletonCard heading lines={6} />}>
          <GiftReady {...{ checkoutId, accountUrl }} />
        </Suspense>
        <KeepKey of={key} />
      </div>
    );
  }
  if (status === "completed") return <Completed planId={confirmation?.plan_id ?? ""} {...{ continueUrl, accountUrl }} ownKey={key} />;
  if (status === "expired") {
    return (
      <Outcome icon="alert" title={t("return.expired")} about={t("return.expired.about")}>
        <ButtonLink href={pricingUrl} variant="primary">
          {t("return.again")}
        </ButtonLink>
      </Outcome>
    );
  }
  return (
    <Outcome
      icon="clock"
      busy={!gaveUp}
      title={t(gaveUp ? "return.late" : "return.waiting")}
      about={t(gaveUp ? "return.late.about" : status === "open" ? "return.open.about" : "return.waiting.about")}
    >
      {gaveUp && (
        <Button variant="primary" onClick={askAgain}>
          {t("return.ask")}
        </Button>
      )}
      {(gaveUp || status === "open") && <ButtonLink href={pricingUrl}>{t("return.back")}</ButtonLink>}
    </Outcome>
  );
}

/** Waits between questions, in seconds: quick at first, a minute in all. */
const WAITS = [1, 1, 2, 3, 5, 5, 5, 8, 10, 10, 10];

/** A service that is away for a moment is asked again this often before it is said. */
const PATIENCE = 4;
/** One that hangs is asked again: what it does meanwhile, the next answer says. */
const PATIENCE_MS = 20_000;

interface Asked {
  times: number;
  failures: number;
  confirmation?: Confirmation;
  error?: unknown;
}

const NOT_ASKED: Asked = { times: 0, failures: 0 };

function useConfirmation(checkoutId: string, enabled: boolean) {
  const { client } = useBilling();
  const [asked, setAsked] = useState<Asked>(NOT_ASKED);
  const settled = asked.confirmation?.status === "completed" || asked.confirmation?.status === "expired";
  const gaveUp = !settled && asked.times > WAITS.length;
  useEffect(() => {
    if (!enabled || settled || gaveUp || asked.error !== undefined) return;
    let gone = false;
    const keep = (next: Partial<Asked>) => !gone && setAsked({ ...asked, failures: 0, ...next, times: asked.times + 1 });
    const endure = (error: unknown) => {
      const failures = asked.failures + 1;
      const passing = error instanceof ApiError && error.retryable && failures < PATIENCE;
      keep(passing ? { failures } : { failures, error });
    };
    const ask = () => {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      return unwrap(client.POST("/billing/checkout-sessions/{checkout_id}/confirm", { params: { path: { checkout_id: checkoutId } }, signal }));
    };
    const wait = asked.times === 0 ? 0 : (WAITS[asked.times - 1] ?? 0);
    const timer = setTimeout(() => {
      ask().then((confirmation) => keep({ confirmation }), endure);
    }, wait * 1000);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [asked, checkoutId, client, enabled, gaveUp, settled]);
  return { ...asked, gaveUp, askAgain: () => setAsked(NOT_ASKED) };
}

interface CompletedProps {
  planId: string;
  continueUrl: string;
  accountUrl: string;
  ownKey: KeptKey | null;
}

function Completed({ planId, continueUrl, accountUrl, ownKey: key }: CompletedProps) {
  const t = useT();
  const name = usePlans().data?.plans.find((plan) => plan.plan_id === planId)?.name;
  return (
    <div className="bsb bsb-stack bsb:gap-6">
      <Outcome
        icon="check"
        title={name ? t("return.done", { plan: name }) : t("return.done_any")}
        about={t("return.done.about")}
      >
        <ButtonLink href={continueUrl} variant={key && !key.saved ? "secondary" : "primary"}>
          {t("return.continue")}
        </ButtonLink>
        <ButtonLink href={accountUrl}>{t("return.account")}</ButtonLink>
      </Outcome>
      <KeepKey of={key} />
    </div>
  );
}

/** Right after paying: the key asks to be saved, until it is. */
function KeepKey({ of: key }: { of: KeptKey | null }) {
  const t = useT();
  if (!key) return null;
  if (key.saved) {
    return (
      <p className="bsb-2 bsb-small bsb:text-center" role="status">
        {t("identity.is_saved")}
      </p>
    );
  }
  return (
    <section className="bsb-card bsb-stack" aria-labelledby="bsb-save">
      <h2 className="bsb-h2" id="bsb-save">
        {t("identity.backup")}
      </h2>
      <Notice tone="warn">{t("identity.backup_about")}</Notice>
      <SaveKey secret={key.secret} />
    </section>
  );
}

function Outcome(props: { icon: IconName; title: string; about: string; busy?: boolean; children?: ReactNode }) {
  return (
    <section className="bsb bsb-card bsb-stack bsb-locked">
      {/* Not around the text: what is busy is not read out. */}
      <span className="bsb-locked-icon" aria-busy={props.busy || undefined}>
        {props.busy ? <span className="bsb-spinner" aria-hidden="true" /> : <Icon name={props.icon} size={22} />}
      </span>
      <div className="bsb-stack bsb:max-w-md bsb:gap-2" role="status">
        <h1 className="bsb-h2">{props.title}</h1>
        <p className="bsb-2">{props.about}</p>
      </div>
      <div className="bsb-row bsb:justify-center">{props.children}</div>
    </section>
  );
}
