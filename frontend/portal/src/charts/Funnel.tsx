export interface Step {
  name: string;
  count: number;
  /** Shows the ledger lines behind the step; a step without any has none to show. */
  onOpen?: (() => void) | undefined;
}

/** Each step as a bar against the first, with its share of the step before. */
export function Funnel({ steps, number, percent }: { steps: readonly Step[]; number: (n: number) => string; percent: (n: number) => string }) {
  const most = Math.max(1, ...steps.map((step) => step.count));
  return (
    <ol className="bsb-stack bsb:gap-3">
      {steps.map((step, i) => {
        const before = steps[i - 1]?.count ?? 0;
        return (
          <li key={step.name} className="bsb-stack bsb:gap-1">
            <p className="bsb-row bsb-between bsb-small">
              <span>{step.name}</span>
              <span className="bsb-number">
                {step.onOpen ? (
                  <button type="button" className="bsb-link figure-cell" aria-label={`${step.name}: ${number(step.count)}`} onClick={step.onOpen}>
                    {number(step.count)}
                  </button>
                ) : (
                  number(step.count)
                )}
                {before > 0 && <span className="bsb-2"> · {percent(step.count / before)}</span>}
              </span>
            </p>
            <div className="funnel-track">
              {step.count > 0 && <div className="funnel-bar" style={{ inlineSize: `${(100 * step.count) / most}%` }} />}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
