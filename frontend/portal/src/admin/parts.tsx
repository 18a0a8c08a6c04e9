import type { Schemas } from "@bitsleuth/billing-api-client";
import { classes, CopyButton, useFeatureTexts, useOptionalText, usePlans } from "@bitsleuth/billing-react";
import type { CSSProperties, ReactNode } from "react";
import { useAdminText } from "./text.js";

interface FieldProps {
  id: string;
  label: ReactNode;
  hint?: string;
  fault?: string | undefined;
  /** Draws the control, with what ties it to its label, its hint and its fault. */
  children: (field: { id: string; "aria-invalid": true | undefined; "aria-describedby": string | undefined }) => ReactNode;
}

export function Field({ id, label, hint, fault, children }: FieldProps) {
  const described = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(" ");
  return (
    <div className="bsb-field">
      <label className="bsb-label" htmlFor={id}>
        {label}
      </label>
      {children({ id, "aria-invalid": fault ? true : undefined, "aria-describedby": described || undefined })}
      {hint && (
        <p className="bsb-2 bsb-tiny" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault && (
        <p className="bsb-error" id={`${id}-fault`} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}

/** A user's id, cut to the room there is, that leads to their page. */
export function UserLink({ userId }: { userId: string }) {
  return (
    <a className="bsb-mono admin-id" title={userId} href={`/console/users?user=${encodeURIComponent(userId)}`}>
      {userId}
    </a>
  );
}

/** An id to read and to take along. */
export function Id({ value, what }: { value: string; what: string }) {
  return (
    <span className="bsb-row bsb:flex-nowrap bsb:gap-1 bsb:min-w-0">
      <span className="bsb-mono">{value}</span>
      <CopyButton value={value} what={what} />
    </span>
  );
}

/** Tells the styles of a tile how long its figure is. */
export const roomFor = (figure: string): CSSProperties => ({ "--long": figure.length }) as CSSProperties;

/** Nothing here (yet), and what would be. */
export function Empty({ children }: { children: ReactNode }) {
  return <p className="bsb-card bsb-2 admin-empty">{children}</p>;
}

const TONES: Readonly<Record<string, string>> = {
  active: "good",
  trialing: "good",
  paid: "good",
  past_due: "warn",
  underpaid: "warn",
  paid_late: "warn",
  disputed: "bad",
  failed: "bad",
  unpaid: "bad",
};

/** The status of a subscription or a payment, in the words buyers read. */
export function StatusBadge({ of, status, about }: { of: "status" | "payment"; status: string; about?: string }) {
  const optional = useOptionalText();
  const inWords = useReason();
  const tone = TONES[status];
  return (
    <span className={classes("bsb-badge", tone && `bsb-badge-${tone}`)}>
      {about && `${about} · `}
      {optional(of, status) ?? inWords(status)}
    </span>
  );
}

type Value = Schemas["EntitlementView"]["value"];

/** How much of a feature there is, with the allowances that run beside the first one: "200 per month, and 1,200 per period". */
export function useAmounts(): (value: Value | null, also: readonly Value[] | null | undefined) => string {
  const t = useAdminText();
  const texts = useFeatureTexts(usePlans().data?.features);
  return (value, also) => {
    const amounts = [value, ...(also ?? [])].map((one) => (one === null ? "" : texts.amount(one))).filter(Boolean);
    return amounts.reduce((said, more) => (said ? t("has.beside", { said, more }) : more), "");
  };
}

/** A reason code in words: a buyer's for leaving, a refund's, or as somebody wrote it. */
export function useReason(): (reason: string) => string {
  const t = useAdminText();
  const optional = useOptionalText();
  return (reason) => {
    if (reason in OURS) return t(OURS[reason as keyof typeof OURS]);
    return optional("reason", reason) ?? optional("status", reason) ?? optional("payment", reason) ?? reason;
  };
}

/** Words that no buyer's page has. */
const OURS = {
  canceling: "status.canceling",
  granted: "status.granted",
  revoked: "grant.revoked",
  free: "status.free",
  not_renewed: "reason.not_renewed",
  not_given: "reason.not_given",
  payment_failed: "reason.payment_failed",
  payment_disputed: "reason.payment_disputed",
  cancellation_requested: "reason.cancellation_requested",
  first: "reason.first",
  renewal: "reason.renewal",
  purchase: "record.purchase",
  term: "record.term",
  requested_by_customer: "refund.requested_by_customer",
  duplicate: "refund.duplicate",
  fraudulent: "refund.fraudulent",
} as const;
