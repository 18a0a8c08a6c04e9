/** A buy (positive) or a sale (negative) of so many satoshis for so many cents. */
export interface Trade {
  day: string;
  sats: number;
  cents: number;
}

export interface Gain {
  day: string;
  sats: number;
  proceeds_cents: number;
  cost_cents: number;
  gain_cents: number;
}

/** An invented wallet, labelled as such on the page. */
export const SAMPLE: readonly Trade[] = [
  { day: "2025-01-14", sats: 4_000_000, cents: 386_000 },
  { day: "2025-06-03", sats: 2_500_000, cents: 264_000 },
  { day: "2025-11-20", sats: -3_000_000, cents: 273_000 },
  { day: "2026-02-11", sats: 1_500_000, cents: 102_000 },
  { day: "2026-08-27", sats: -2_500_000, cents: 290_500 },
];

/** First in, first out: each sale takes the oldest coins that are left, whose price was paid for them. */
export function gains(trades: readonly Trade[]): Gain[] {
  const lots = trades.filter((trade) => trade.sats > 0).map((trade) => ({ ...trade }));
  return trades
    .filter((trade) => trade.sats < 0)
    .map((sale) => {
      const cost = takeFrom(lots, -sale.sats);
      return { day: sale.day, sats: -sale.sats, proceeds_cents: sale.cents, cost_cents: cost, gain_cents: sale.cents - cost };
    });
}

function takeFrom(lots: Trade[], sats: number): number {
  let cost = 0;
  for (const lot of lots) {
    const taken = Math.min(lot.sats, sats);
    if (taken === 0) continue;
    const part = Math.round((lot.cents * taken) / lot.sats);
    cost += part;
    lot.sats -= taken;
    lot.cents -= part;
    sats -= taken;
  }
  if (sats > 0) throw new RangeError("More was sold than was bought.");
  return cost;
}
