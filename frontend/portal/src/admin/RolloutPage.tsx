import { ErrorNotice, format, SkeletonLines, useBilling, useConfig } from "@bitsleuth/billing-react";
import { useAdminText } from "./text.js";

/** The flags in force, as every client sees them. They are changed by configuration, with its own history and way back. */
export function RolloutPage() {
  const t = useAdminText();
  const { locale } = useBilling();
  const config = useConfig();
  const flags = Object.entries(config.data?.flags ?? {});
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-stack bsb:gap-1">
        <h1 className="bsb-h1">{t("rollout")}</h1>
        <p className="bsb-2">{t("rollout.about")}</p>
      </div>
      {config.isError && <ErrorNotice error={config.error} onRetry={() => void config.refetch()} />}
      {config.isPending && (
        <div className="bsb-card">
          <SkeletonLines lines={4} />
        </div>
      )}
      {config.data && flags.length === 0 && <p className="bsb-card bsb-2">{t("rollout.none")}</p>}
      {flags.length > 0 && (
        <ul className="bsb-card bsb-stack bsb:gap-5">
          {flags.map(([name, flag]) => (
            <li key={name} className="bsb-stack bsb:gap-2">
              <p className="bsb-row bsb-between">
                <span className="bsb-mono">{name}</span>
                <span className="bsb-number bsb-small">
                  {t("rollout.share", { percent: flag.percent })}
                  {flag.allow.length > 0 && <span className="bsb-2"> · {t("rollout.allowed", { count: flag.allow.length })}</span>}
                </span>
              </p>
              <progress className="bsb-meter" aria-label={name} value={flag.percent} max={100} />
            </li>
          ))}
        </ul>
      )}
      {config.data && (
        <p className="bsb-2 bsb-small">{t("rollout.version", { version: format.number(config.data.version, locale) })}</p>
      )}
    </div>
  );
}
