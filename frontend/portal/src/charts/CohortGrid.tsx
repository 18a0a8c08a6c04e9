import type { Schemas } from "@bitsleuth/billing-api-client";

/** Who stayed, month by month: a table whose cells are shaded by the share. */
export function CohortGrid({ cohorts, percent, onOpen, texts }: {
  cohorts: readonly Schemas["Cohort"][];
  percent: (share: number) => string;
  /** Shows the ledger lines of a cohort, up to the end of so many months after its own. */
  onOpen: (row: number, n: number) => void;
  texts: { label: string; cohort: string; size: string; month: (n: number) => string; name: (month: string) => string };
}) {
  const months = Math.max(0, ...cohorts.map((cohort) => cohort.retained.length));
  return (
    // Scrolls sideways on small screens, so the keyboard must reach it.
    // eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex
    <div className="bsb-scroll" role="group" tabIndex={0} aria-label={texts.label}>
      <table className="bsb-table bsb-small chart-cohorts">
        <thead>
          <tr>
            <th scope="col">{texts.cohort}</th>
            <th scope="col" className="bsb-end">
              {texts.size}
            </th>
            {Array.from({ length: months }, (_, n) => (
              <th key={n} scope="col" className="bsb-end">
                {texts.month(n)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {cohorts.map(({ month, size, retained }, row) => (
            <tr key={month}>
              <th scope="row" className="bsb:whitespace-nowrap">
                {texts.name(month)}
              </th>
              <td className="bsb-end bsb-number">{size}</td>
              {Array.from({ length: months }, (_, n) => {
                const kept = retained[n];
                const share = kept === undefined ? null : kept / Math.max(1, size);
                const shade = share === null ? undefined : `color-mix(in oklab, var(--bsb-primary) ${Math.round(share * 45)}%, var(--bsb-card))`;
                return (
                  <td key={n} className="bsb-end bsb-number" style={{ background: shade }}>
                    {share !== null && (
                      <button
                        type="button"
                        className="bsb-link figure-cell"
                        aria-label={`${texts.name(month)} ${texts.month(n)}: ${percent(share)}`}
                        onClick={() => onOpen(row, n)}
                      >
                        {percent(share)}
                      </button>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
