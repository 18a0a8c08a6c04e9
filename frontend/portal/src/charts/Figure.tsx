import { Button, classes, csv, download, Icon } from "@bitsleuth/billing-react";
import { useId, useState, type ReactNode } from "react";
import { useAdminText } from "../admin/text.js";
import { Definition } from "./Definition.js";

export interface FigureProps {
  title: string;
  /** What the figure counts, in a sentence. */
  definition?: string;
  /** The same data as rows: for the table, for the file, for those who cannot see the drawing. */
  columns: readonly string[];
  rows: readonly (readonly (string | number)[])[];
  /** Turns a raw value into the text of a cell; by column. */
  show?: (value: string | number, column: number) => string;
  /** Makes the first cell of each row a button that is told which row it is. */
  onRow?: ((row: number) => void) | undefined;
  /** Makes a cell that is something a button that is told which one it is; only where `hasLines` says so of its column. */
  onCell?: ((row: number, column: number) => void) | undefined;
  hasLines?: ((column: number, row: number) => boolean) | undefined;
  /** Begin with the table: where there is no drawing that says more. */
  asTable?: boolean;
  /** How many columns a phone and a wide screen begin with; the others are a button away, and in the file. */
  main?: readonly [number, number] | undefined;
  file: string;
  children?: ReactNode;
}

/** A drawing with its definition, its data as a table, and the same as a file. */
export function Figure({ title, definition, columns, rows, show = String, onRow, onCell, hasLines, asTable = false, main, file, children }: FigureProps) {
  const t = useAdminText();
  const id = useId();
  const [table, setTable] = useState(asTable);
  const [all, setAll] = useState(false);
  return (
    <figure className="bsb-card bsb-stack" aria-labelledby={id}>
      <div className="bsb-row bsb-between bsb:relative">
        <figcaption className="bsb-row bsb:gap-1">
          <h2 className="bsb-h3" id={id}>
            {title}
          </h2>
          {definition && <Definition of={title}>{definition}</Definition>}
        </figcaption>
        <div className="bsb-row bsb:flex-nowrap bsb:gap-1">
          {!asTable && (
            <Button size="small" variant="ghost" aria-pressed={table} onClick={() => setTable(!table)}>
              {t("table")}
            </Button>
          )}
          {table && main && (
            <Button className={main[1] >= columns.length ? "figure-narrow" : ""} size="small" variant="ghost" aria-pressed={all} onClick={() => setAll(!all)}>
              {t("columns.all")}
            </Button>
          )}
          <Button
            size="small"
            variant="ghost"
            aria-label={t("csv.of", { title })}
            onClick={() => download(`${file}.csv`, csv([columns, ...rows]))}
          >
            <Icon name="download" size={16} />
            CSV
          </Button>
        </div>
      </div>
      {table ? <DataTable {...{ columns, rows, show, onRow, onCell, hasLines }} main={all ? undefined : main} label={title} /> : children}
    </figure>
  );
}

interface DataTableProps extends Required<Pick<FigureProps, "columns" | "rows" | "show">>, Pick<FigureProps, "onRow" | "onCell" | "hasLines" | "main"> {
  label: string;
}

function DataTable({ columns, rows, show, onRow, onCell, hasLines, main, label }: DataTableProps) {
  const [narrow, wide] = main ?? [columns.length, columns.length];
  const shown = columns.slice(0, wide);
  const later = (i: number) => (i >= narrow ? "figure-wide" : undefined);
  return (
    // Scrolls in both directions, so the keyboard must reach it.
    // eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex
    <div className="bsb-scroll bsb-scroll-both" role="group" tabIndex={0} aria-label={label}>
      <table className={classes("bsb-table bsb-small figure-table", columns.length > 2 && "stacked")}>
        <thead>
          <tr>
            {shown.map((column, i) => (
              <th key={column} scope="col" className={classes(i > 0 && "bsb-end", later(i))}>
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, n) => (
            <tr key={n}>
              {row.slice(0, wide).map((value, i) =>
                i === 0 ? (
                  <th key={i} scope="row">
                    {onRow ? (
                      <button type="button" className="bsb-link" onClick={() => onRow(n)}>
                        {show(value, i)}
                      </button>
                    ) : (
                      show(value, i)
                    )}
                  </th>
                ) : (
                  <td key={i} className={classes("bsb-end bsb-number", later(i))} data-label={columns[i]}>
                    {onCell && value !== 0 && value !== "" && hasLines?.(i, n) ? (
                      <button type="button" className="bsb-link figure-cell" aria-label={`${columns[i] ?? ""}, ${show(row[0] ?? "", 0)}: ${show(value, i)}`} onClick={() => onCell(n, i)}>
                        {show(value, i)}
                      </button>
                    ) : (
                      show(value, i)
                    )}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
