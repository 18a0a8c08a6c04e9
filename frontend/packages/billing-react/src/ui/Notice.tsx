"use client";

import { ApiError } from "@bitsleuth/billing-api-client";
import type { ReactNode } from "react";
import { errorText, useT } from "../text.js";
import { Button, ButtonLink } from "./Button.js";
import { classes } from "./classes.js";
import { Icon, type IconName } from "./Icon.js";

export type Tone = "plain" | "good" | "warn" | "bad";
const ICONS: Record<Tone, IconName> = { plain: "info", good: "check", warn: "alert", bad: "alert" };

export interface NoticeProps {
  tone?: Tone;
  title?: string;
  children?: ReactNode;
  action?: ReactNode;
  /** Read out at once by screen readers. */
  live?: boolean;
}

export function Notice({ tone = "plain", title, children, action, live = false }: NoticeProps) {
  return (
    <div className={classes("bsb-notice", tone !== "plain" && `bsb-notice-${tone}`)} role={live ? "alert" : undefined}>
      <Icon name={ICONS[tone]} />
      <div className="bsb-stack bsb:min-w-0 bsb:grow bsb:gap-1">
        {title && <p className="bsb:font-semibold">{title}</p>}
        {children && <div className="bsb-small">{children}</div>}
        {action && <div className="bsb-row bsb:mt-2">{action}</div>}
      </div>
    </div>
  );
}

/** Whether the same may be asked again: not what is refused for good, only what is away or has changed meanwhile. */
function canHelp(error: unknown): boolean {
  return !(error instanceof ApiError) || error.retryable || error.status === 409 || error.code === "unexpected_answer";
}

interface Asked {
  data: unknown;
  isError: boolean;
  error: unknown;
  refetch: () => unknown;
}

/** What could not be asked at all is said, and can be asked again: nothing here would read as "there is none". */
export function NotRead({ of, title }: { of: Asked; title?: string }) {
  if (!of.isError || of.data !== undefined) return null;
  const notice = <ErrorNotice error={of.error} onRetry={() => void of.refetch()} />;
  if (!title) return notice;
  return (
    <div className="bsb-stack bsb:gap-3">
      <h3 className="bsb:font-semibold">{title}</h3>
      {notice}
    </div>
  );
}

/** What went wrong, in the reader's words, with a way to try again and the id that support needs. */
export function ErrorNotice({ error, onRetry: again }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const t = useT();
  const onRetry = canHelp(error) ? again : undefined;
  const requestId = (error as { requestId?: string | null }).requestId;
  const confirmUrl = error instanceof ApiError ? error.problem.confirm_url : undefined;
  return (
    <Notice
      tone="bad"
      live
      action={
        (onRetry || typeof confirmUrl === "string") && (
          <>
            {typeof confirmUrl === "string" && (
              <ButtonLink size="small" variant="primary" href={confirmUrl} target="_blank" rel="noreferrer">
                {t("error.confirm")}
              </ButtonLink>
            )}
            {onRetry && (
              <Button size="small" onClick={onRetry}>
                {t("retry")}
              </Button>
            )}
          </>
        )
      }
    >
      <p>{errorText(error, t)}</p>
      {requestId && <p className="bsb-tiny bsb-2">{t("support_id", { id: requestId })}</p>}
    </Notice>
  );
}
