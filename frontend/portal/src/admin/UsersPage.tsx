import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, ButtonLink, classes, csv, download, ErrorNotice, format, Icon, NotRead, SkeletonCard, useBilling, usePlans } from "@bitsleuth/billing-react";
import { useEffect, useState, type ReactNode } from "react";
import { navigate, useLocation, useQueryParam } from "../router.js";
import { Empty, StatusBadge, UserLink } from "./parts.js";
import { useAdminPlans, useAllCustomers, useCustomers, type CustomerFilters } from "./queries.js";
import { useAdminText } from "./text.js";
import { UserPage } from "./UserPage.js";

type Customer = Schemas["UserSummary"];

/** The customers, and the search among them; then everything about one. */
export function UsersPage() {
  const userId = useQueryParam("user");
  const { search } = useLocation();
  return userId ? <UserPage key={userId} userId={userId} /> : <Customers key={search} asked={new URLSearchParams(search)} />;
}

const STATUSES = ["trialing", "active", "canceling", "past_due", "unpaid", "canceled", "paid", "redeemed", "granted", "free"] as const;
const SOON = "30";

/** The filters, as the address names them; a search has none. */
function filtersOf(asked: URLSearchParams): CustomerFilters {
  const filters: CustomerFilters = {};
  const q = asked.get("q");
  if (q) return { q };
  for (const name of ["plan", "version", "status", "rail", "at_risk", "has_credits", "ends_within_days"] as const) {
    const value = asked.get(name);
    if (value) filters[name] = value;
  }
  return filters;
}

function go(filters: CustomerFilters) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  navigate(`/console/users${query.size > 0 ? `?${query.toString()}` : ""}`, { replace: true });
}

function Customers({ asked }: { asked: URLSearchParams }) {
  const t = useAdminText();
  const filters = filtersOf(asked);
  const customers = useCustomers(filters);
  const listed = customers.data?.pages.flatMap((page) => page.users) ?? [];
  const filtered = Object.keys(filters).length > 0;
  // Who looks for one and finds one is there.
  const only = filters.q && !customers.hasNextPage && listed.length === 1 ? listed[0]?.user_id : undefined;
  useEffect(() => {
    if (only) navigate(`/console/users?user=${encodeURIComponent(only)}`, { replace: true });
  }, [only]);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-stack bsb:gap-1">
        <div className="bsb-row bsb-between">
          <h1 className="bsb-h1">{t("users")}</h1>
          <Export filters={filters} />
        </div>
        <p className="bsb-2">{t("users.about")}</p>
      </div>
      <Search q={filters.q ?? ""} />
      <FilterRow filters={filters} />
      {customers.isError && !customers.isFetchNextPageError && <ErrorNotice error={customers.error} onRetry={() => void customers.refetch()} />}
      {customers.isLoading && <SkeletonCard lines={4} />}
      {customers.data && listed.length === 0 && !customers.hasNextPage && <Empty>{t(filters.q ? "users.none" : filtered ? "users.none_fit" : "users.nobody")}</Empty>}
      {listed.length > 0 && <CustomerTable customers={listed} />}
      {/* Where the next ones would stand: what is said above a long list is not seen from its end. */}
      {customers.isFetchNextPageError && <ErrorNotice error={customers.error} />}
      {customers.hasNextPage && (
        <div>
          <Button busy={customers.isFetchingNextPage} onClick={() => void customers.fetchNextPage()}>
            {t("users.more")}
          </Button>
        </div>
      )}
      <Age state={customers.data?.pages[0]?.index} />
    </div>
  );
}

/** From any page: a customer by any part of an id, sent with Enter. */
export function CustomerSearch() {
  const t = useAdminText();
  return <SearchField className="admin-search" label={t("users.search.short")} q="" onFind={(q) => q && navigate(`/console/users?${new URLSearchParams({ q }).toString()}`)} />;
}

interface SearchFieldProps {
  className?: string;
  label: string;
  q: string;
  onFind: (q: string) => void;
  children?: ReactNode;
}

function SearchField({ className, label, q, onFind, children }: SearchFieldProps) {
  const t = useAdminText();
  const [text, setText] = useState(q);
  return (
    <form
      className={classes("bsb-row bsb:flex-nowrap", className)}
      role="search"
      aria-label={t("users")}
      onSubmit={(event) => {
        event.preventDefault();
        onFind(text.trim());
      }}
    >
      <input
        className="bsb-input bsb:max-w-lg"
        type="search"
        aria-label={label}
        placeholder={label}
        maxLength={128}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {children}
    </form>
  );
}

function Search({ q }: { q: string }) {
  const t = useAdminText();
  return (
    <SearchField label={t("users.search")} q={q} onFind={(text) => go({ q: text })}>
      <Button type="submit" variant="primary">
        {t("users.find")}
      </Button>
    </SearchField>
  );
}

function FilterRow({ filters }: { filters: CustomerFilters }) {
  const t = useAdminText();
  const plans = useAdminPlans();
  const providers = usePlans().data?.payment_providers;
  const ids = [...new Set([...(plans.data?.plans.map((plan) => plan.plan_id) ?? []), ...(filters.plan ? [filters.plan] : [])])].sort();
  const choose = (name: keyof CustomerFilters, value: string) => {
    const { q: _, version, ...others } = filters;
    // A version is one of its plan.
    go({ ...others, ...(version && name !== "plan" ? { version } : {}), [name]: value });
  };
  const versions = (plans.data?.plans ?? []).filter(({ plan_id }) => plan_id === filters.plan).map(({ version }) => String(version));
  const lists = [
    ["plan", ids.map((id) => [id, id] as const)],
    ...(versions.length > 1 ? [["version", versions.map((version) => [version, t("plan.version", { version })] as const)] as const] : []),
    ["status", STATUSES.map((status) => [status, t(`users.status.${status}`)] as const)],
    ["rail", Object.keys(providers ?? {}).map((rail) => [rail, rail] as const)],
  ] as const;
  const switches = [
    ["at_risk", "true"],
    ["ends_within_days", SOON],
    ["has_credits", "true"],
  ] as const;
  return (
    <>
      <fieldset className="bsb-row">
        <legend className="bsb-hidden">{t("users.filters")}</legend>
        {lists.map(([name, options]) => (
          <select key={name} className="bsb-input bsb:w-auto bsb:max-w-full" aria-label={t(`users.${name}`)} aria-busy={(name === "plan" && plans.isPending) || undefined} disabled={name === "plan" && plans.isPending} value={filters[name] ?? ""} onChange={(event) => choose(name, event.target.value)}>
            <option value="">{t(`users.${name}.any`)}</option>
            {options.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        ))}
        {switches.map(([name, on]) => (
          <label key={name} className="bsb-row bsb:gap-2 bsb-small">
            <input type="checkbox" checked={Boolean(filters[name])} onChange={(event) => choose(name, event.target.checked ? on : "")} />
            {t(`users.${name}`, { count: Number(SOON) })}
          </label>
        ))}
        {Object.keys(filters).length > 0 && (
          <ButtonLink size="small" variant="ghost" href="/console/users">
            {t("users.all")}
          </ButtonLink>
        )}
      </fieldset>
      <NotRead of={plans} title={t("users.plan")} />
    </>
  );
}

/** What is not so of a customer needs no line of its own on a phone. */
const said = (value: unknown) => (value ? "" : "figure-wide");

function CustomerTable({ customers }: { customers: readonly Customer[] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  return (
    // Scrolls sideways where it is narrow, so the keyboard must reach it.
    // eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex
    <div className="bsb-card bsb-card-flush bsb-scroll" role="group" tabIndex={0} aria-label={t("users")}>
      <table className="bsb-table bsb-small figure-table stacked">
        <thead>
          <tr>
            {(["user", "plan", "status", "rail", "since", "ends"] as const).map((column) => (
              <th key={column} scope="col">
                {t(`users.column.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {customers.map((customer) => (
            <tr key={customer.user_id}>
              <th scope="row">
                <UserLink userId={customer.user_id} />
                {customer.matched && customer.matched_id !== customer.user_id && (
                  <p className="bsb-2 bsb-tiny">
                    {t("users.matched", { what: t(`matched.${customer.matched}`) })} <span className="bsb-mono">{customer.matched_id}</span>
                  </p>
                )}
              </th>
              <td className={said(customer.plans[0])} data-label={t("users.column.plan")}>{customer.plans.join(", ") || "–"}</td>
              <td data-label={t("users.column.status")}>
                <span className="bsb-row bsb:gap-1 bsb:md:flex-nowrap">
                  <StatusBadge of="status" status={customer.status} />
                  {customer.at_risk && <span className="bsb-badge bsb-badge-warn">{t("users.at_risk")}</span>}
                </span>
              </td>
              <td className={said(customer.rails[0])} data-label={t("users.column.rail")}>{customer.rails.join(", ") || "–"}</td>
              <td className={classes("bsb:whitespace-nowrap", said(customer.since))} data-label={t("users.column.since")}>{customer.since ? format.date(customer.since, locale) : "–"}</td>
              <td className={classes("bsb:whitespace-nowrap", said(customer.ends_at))} data-label={t("users.column.ends")}>{customer.ends_at ? format.date(customer.ends_at, locale) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const COLUMNS = ["user_id", "status", "plans", "versions", "rails", "at_risk", "has_credits", "since", "ends_at"] as const;

/** Everybody who fits the filters, not only those on the page, as a file. */
function Export({ filters }: { filters: CustomerFilters }) {
  const all = useAllCustomers();
  const cell = (value: Customer[(typeof COLUMNS)[number]]) => (Array.isArray(value) ? value.join(" ") : String(value ?? ""));
  const save = () =>
    all.mutate(filters, {
      onSuccess: (customers) => download("customers.csv", csv([COLUMNS, ...customers.map((one) => COLUMNS.map((name) => cell(one[name])))])),
    });
  return (
    <div className="bsb-stack bsb:gap-2">
      <Button busy={all.isPending} onClick={save}>
        <Icon name="download" size={16} />
        CSV
      </Button>
      {all.isError && <ErrorNotice error={all.error} onRetry={save} />}
    </div>
  );
}

/** How far the list follows behind the accounts. */
function Age({ state }: { state: Schemas["IndexState"] | undefined }) {
  const t = useAdminText();
  const { locale } = useBilling();
  if (!state?.changed_at || state.lag_seconds === null) return null;
  return <p className="bsb-2 bsb-tiny">{t("users.age", { time: format.dateTime(state.changed_at, locale), count: state.lag_seconds })}</p>;
}
