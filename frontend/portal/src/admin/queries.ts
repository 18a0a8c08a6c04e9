import { unwrap, type Client, type Schemas } from "@bitsleuth/billing-api-client";
import { useBilling, useQueries } from "@bitsleuth/billing-react";
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, type Query } from "@tanstack/react-query";

export type AdminPlan = Schemas["AdminPlan"];
export type Range = { from: string; to: string; currency?: string };

/** Every read of the admin pages, kept under "admin" so that one call drops them all. */
function useAdminQuery<T>(key: readonly unknown[], call: (client: Client) => Promise<T>, enabled = true) {
  const { client, session } = useBilling();
  const queryKey = ["admin", session.userId, ...key];
  return useQuery({ queryKey, queryFn: () => call(client), enabled }, useQueries());
}

/** The figures of one range stay until those of the next are there. */
function useFigures<T>(key: readonly unknown[], call: (client: Client) => Promise<T>) {
  const { client, session } = useBilling();
  const queryKey = ["admin", session.userId, ...key];
  return useQuery({ queryKey, queryFn: () => call(client), placeholderData: keepPreviousData }, useQueries());
}

function useAdminMutation<Body, T>(call: (client: Client, body: Body) => Promise<T>, touched: readonly string[]) {
  const { client, session } = useBilling();
  const queries = useQueries();
  // What admins see under that name, and what buyers do.
  const keys = touched.flatMap((key) => [["admin", session.userId, key], [key]]);
  const onSuccess = () => Promise.all(keys.map((queryKey) => queries.invalidateQueries({ queryKey })));
  // After a refusal too: it may have been refused because what is shown is old. It is said before that is read again.
  const onError = () => void onSuccess();
  return useMutation({ mutationFn: (body: Body) => call(client, body), onSuccess, onError }, queries);
}

/** An act with a preview: what only looked has touched nothing. */
function useAdminAct<Body, T extends { outcome: "preview" | "done" | "unchanged" }>(call: (client: Client, body: Body) => Promise<T>) {
  const { client, session } = useBilling();
  const queries = useQueries();
  const onSuccess = async ({ outcome }: T) => {
    if (outcome === "preview") return;
    await Promise.all(ACTED.map((key) => queries.invalidateQueries({ queryKey: ["admin", session.userId, key] })));
  };
  return useMutation({ mutationFn: (body: Body) => call(client, body), onSuccess }, queries);
}

export const useAdminPlans = () => useAdminQuery(["plans"], (client) => unwrap(client.GET("/admin/plans")));

/** Writes the plans of an offer: what is new, and a version of each that differs. */
export const useSaveOffer = () =>
  useAdminMutation(
    (client, body: Schemas["SaveOffer"]) => unwrap(client.PUT("/admin/offers", { body })),
    ["plans", "move", "audit"],
  );

export const useArchivePlan = () =>
  useAdminMutation(
    (client, { plan_id, anyway }: { plan_id: string; anyway: boolean }) =>
      unwrap(client.POST("/admin/plans/{plan_id}/archive", { params: { path: { plan_id } }, body: { anyway } })),
    ["plans", "audit"],
  );

/** Read again each minute for as long as it goes on. */
export function useMove(plan_id: string) {
  const { client, session } = useBilling();
  const queryFn = () => unwrap(client.GET("/admin/plans/{plan_id}/move", { params: { path: { plan_id } } }));
  const goesOn = (move?: Schemas["PlanMove"]) => move?.status === "running" || move?.status === "undoing";
  const refetchInterval = ({ state }: Query<Schemas["PlanMove"]>) => goesOn(state.data) && 60_000;
  return useQuery({ queryKey: ["admin", session.userId, "move", plan_id], queryFn, refetchInterval }, useQueries());
}

export const useStartMove = (plan_id: string) =>
  useAdminMutation(
    (client, body: Schemas["MoveSubscribers"]) =>
      unwrap(client.POST("/admin/plans/{plan_id}/move", { params: { path: { plan_id } }, body })),
    ["move"],
  );

export const useStopMove = () =>
  useAdminMutation(
    (client, plan_id: string) => unwrap(client.POST("/admin/plans/{plan_id}/move/stop", { params: { path: { plan_id } } })),
    ["move"],
  );

export const useUndoMove = () =>
  useAdminMutation(
    (client, plan_id: string) => unwrap(client.POST("/admin/plans/{plan_id}/move/undo", { params: { path: { plan_id } } })),
    ["move"],
  );

export const useRevenue = (range: Range) =>
  useFigures(["revenue", range], (client) => unwrap(client.GET("/admin/revenue", { params: { query: range } })));

export type LedgerLine = Schemas["LedgerLine"];

/** The lines behind figures, page after page. */
export function useLedgerLines(asked: { from: string; to: string; currency: string; plan_id?: string; provider?: string; cohort?: string; figure?: string }) {
  const { client, session } = useBilling();
  return useInfiniteQuery(
    {
      queryKey: ["admin", session.userId, "lines", asked],
      queryFn: ({ pageParam }) => {
        const query = { ...asked, ...(pageParam ? { cursor: pageParam } : {}) };
        return unwrap(client.GET("/admin/revenue/lines", { params: { query } }));
      },
      initialPageParam: "",
      getNextPageParam: (page) => page.next,
    },
    useQueries(),
  );
}

export const useFunnel = ({ from, to }: Range) =>
  useFigures(["funnel", from, to], (client) =>
    unwrap(client.GET("/admin/metrics/funnel", { params: { query: { from, to } } })),
  );

export const useChurn = (range: Range) =>
  useFigures(["churn", range], (client) => unwrap(client.GET("/admin/metrics/churn", { params: { query: range } })));

export const useCohorts = () =>
  useAdminQuery(["cohorts"], (client) => unwrap(client.GET("/admin/metrics/cohorts")));

export interface CustomerFilters {
  q?: string;
  plan?: string;
  version?: string;
  status?: string;
  rail?: string;
  at_risk?: string;
  has_credits?: string;
  ends_within_days?: string;
}

const customersPage = (client: Client, filters: CustomerFilters, cursor: string, limit?: string) =>
  unwrap(client.GET("/admin/users", { params: { query: { ...filters, ...(cursor ? { cursor } : {}), ...(limit ? { limit } : {}) } } }));

/** The customers who fit, page after page. */
export function useCustomers(filters: CustomerFilters) {
  const { client, session } = useBilling();
  return useInfiniteQuery(
    {
      queryKey: ["admin", session.userId, "users", filters],
      queryFn: ({ pageParam }) => customersPage(client, filters, pageParam),
      initialPageParam: "",
      getNextPageParam: (page) => page.next,
    },
    useQueries(),
  );
}

/** All who fit, in as many calls as it takes: for a file. */
export const useAllCustomers = () =>
  useAdminMutation(async (client, filters: CustomerFilters) => {
    const users: Schemas["UserSummary"][] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page: Schemas["UserList"] = await customersPage(client, filters, cursor, "1000");
      users.push(...page.users);
      cursor = page.next;
    }
    return users;
  }, []);

export const useUser = (user_id: string) =>
  useAdminQuery(["user", user_id], (client) =>
    unwrap(client.GET("/admin/users/{user_id}", { params: { path: { user_id } } })),
  );

export const useExplain = (user_id: string, feature: string, at: string) =>
  useAdminQuery(
    ["explain", user_id, feature, at],
    (client) => {
      const query = { feature, ...(at ? { at } : {}) };
      return unwrap(client.GET("/admin/users/{user_id}/explain", { params: { path: { user_id }, query } }));
    },
    feature !== "",
  );

export const useGrant = (user_id: string) =>
  useAdminMutation(
    (client, body: Schemas["GrantFeatures"]) =>
      unwrap(client.POST("/admin/users/{user_id}/grants", { params: { path: { user_id } }, body })),
    ["user", "explain", "audit"],
  );

export const useRevokeGrant = (user_id: string) =>
  useAdminMutation(
    (client, grant_id: string) =>
      unwrap(client.POST("/admin/users/{user_id}/grants/{grant_id}/revoke", { params: { path: { user_id, grant_id } } })),
    ["user", "explain", "audit"],
  );

export const useRefund = (user_id: string) =>
  useAdminMutation(
    (client, body: Schemas["RefundPayment"]) =>
      unwrap(client.POST("/admin/users/{user_id}/refunds", { params: { path: { user_id } }, body })),
    ["user", "explain", "revenue", "invoices", "audit"],
  );

const ONE = "/admin/users/{user_id}/subscriptions/{subscription_id}";
/** What an act on a subscription touches. */
const ACTED = ["user", "users", "explain", "audit", "revenue"] as const;

export const useCancelFor = (user_id: string, subscription_id: string) =>
  useAdminAct((client, body: Schemas["CancelForUser"]) =>
    unwrap(client.POST(`${ONE}/cancel`, { params: { path: { user_id, subscription_id } }, body })),
  );

export const useResumeFor = (user_id: string, subscription_id: string) =>
  useAdminAct((client, dry_run: boolean) =>
    unwrap(client.POST(`${ONE}/resume`, { params: { path: { user_id, subscription_id } }, body: { dry_run } })),
  );

export const usePreviewChangeFor = (user_id: string, subscription_id: string) =>
  useAdminMutation(
    (client, plan_id: string) =>
      unwrap(client.POST(`${ONE}/preview-change`, { params: { path: { user_id, subscription_id } }, body: { plan_id } })),
    [],
  );

export const useChangeFor = (user_id: string, subscription_id: string) =>
  useAdminAct((client, preview_id: string) =>
    unwrap(client.POST(`${ONE}/change`, { params: { path: { user_id, subscription_id } }, body: { preview_id } })),
  );

export const useRereadSubscription = (user_id: string) =>
  useAdminAct((client, subscription_id: string) =>
    unwrap(client.POST(`${ONE}/reread`, { params: { path: { user_id, subscription_id } } })),
  );

export const useGiveDays = (user_id: string) =>
  useAdminAct((client, body: Schemas["GiveDays"]) =>
    unwrap(client.POST("/admin/users/{user_id}/days", { params: { path: { user_id } }, body })),
  );

export const useAddNote = (user_id: string) =>
  useAdminMutation(
    (client, text: string) => unwrap(client.POST("/admin/users/{user_id}/notes", { params: { path: { user_id } }, body: { text } })),
    ["user", "audit"],
  );

export const useRemoveNote = (user_id: string) =>
  useAdminMutation(
    (client, note_id: string) =>
      unwrap(client.DELETE("/admin/users/{user_id}/notes/{note_id}", { params: { path: { user_id, note_id } } })),
    ["user", "audit"],
  );

export type Invoice = Schemas["AdminInvoice"];

export const useInvoices = (flagged: boolean) =>
  useAdminQuery(["invoices", flagged], (client) =>
    unwrap(client.GET("/admin/invoices", { params: { query: flagged ? { flagged: "true" } : {} } })),
  );

export const useAcceptInvoice = () =>
  useAdminMutation(
    (client, { provider, purchase_id }: Invoice) =>
      unwrap(client.POST("/admin/invoices/{provider}/{purchase_id}/accept", { params: { path: { provider, purchase_id } } })),
    ["user", "revenue", "audit"],
  );

export const useRereadInvoice = () =>
  useAdminMutation(
    (client, { provider, purchase_id }: Invoice) =>
      unwrap(client.POST("/admin/invoices/{provider}/{purchase_id}/reread", { params: { path: { provider, purchase_id } } })),
    ["invoices", "user", "audit"],
  );

export const useExport = (user_id: string) =>
  useAdminMutation(
    async (client) => {
      const read = (cursor?: string) =>
        unwrap(client.GET("/admin/users/{user_id}/export", { params: { path: { user_id }, query: cursor ? { cursor } : {} } }));
      const everything = await read();
      for (let { next } = everything; next; ) {
        const page = await read(next);
        everything.records.push(...page.records);
        next = page.next;
      }
      return everything;
    },
    ["audit"],
  );

export const useErase = () =>
  useAdminMutation(
    (client, user_id: string) => unwrap(client.DELETE("/admin/users/{user_id}", { params: { path: { user_id } } })),
    ["users", "audit"],
  );

export interface AuditAsked {
  /** Unix seconds within the month. */
  at: number;
  subject: string;
  actor: string;
  action: string;
}

const auditQuery = ({ at, subject, actor, action }: AuditAsked) => ({ at: String(at), ...(subject ? { subject } : {}), ...(actor ? { actor } : {}), ...(action ? { action } : {}) });

/** The newest of a month, or of it what fits. */
export const useAudit = (asked: AuditAsked) =>
  useAdminQuery(["audit", asked], (client) => unwrap(client.GET("/admin/audit", { params: { query: auditQuery(asked) } })));

/** The whole month as a table, written by the service. */
export const useAuditFile = () =>
  useAdminMutation(
    (client, asked: AuditAsked) => unwrap(client.GET("/admin/audit", { params: { query: { ...auditQuery(asked), format: "csv" } }, parseAs: "text" })),
    [],
  );

export type Flags = Schemas["FlagList"];

export const useFlags = () => useAdminQuery(["flags"], (client) => unwrap(client.GET("/admin/flags")));

export const useSetFlag = () =>
  useAdminMutation(
    (client, { name, body }: { name: string; body: Schemas["SetFlag"] }) =>
      unwrap(client.PUT("/admin/flags/{name}", { params: { path: { name } }, body })),
    ["flags", "audit"],
  );

/** A page of events of a status; or, with `q`, the one of an id. */
export const useEvents = (status: string, cursor: string, q: string) =>
  useAdminQuery(["events", status, cursor, q], (client) =>
    unwrap(client.GET("/admin/events", { params: { query: q ? { q } : { status, ...(cursor ? { cursor } : {}) } } })),
  );

export const useRedrive = () =>
  useAdminMutation(
    (client, body: Schemas["RedriveEvents"]) => unwrap(client.POST("/admin/events/redrive", { body })),
    ["events", "audit"],
  );

/** What will never be ours leaves lists, queue and alarms; or comes back to be processed after all. */
export const useSetAside = () =>
  useAdminMutation(
    (client, body: Schemas["SetAside"]) => unwrap(client.POST("/admin/events/set-aside", { body })),
    ["events", "audit"],
  );

export const useTakeBack = () =>
  useAdminMutation(
    (client, event_id: string) => unwrap(client.POST("/admin/events/take-back", { body: { event_ids: [event_id] } })),
    ["events", "audit"],
  );

const ONE_ENDPOINT = "/admin/endpoints/{endpoint_id}";
const ofEndpoint = (endpoint_id: string) => ({ params: { path: { endpoint_id } } });
const ENDPOINTS = ["endpoints", "deliveries", "audit"];

export const useEndpoints = () => useAdminQuery(["endpoints"], (client) => unwrap(client.GET("/admin/endpoints")));

export const useCreateEndpoint = () =>
  useAdminMutation((client, body: Schemas["CreateEndpoint"]) => unwrap(client.POST("/admin/endpoints", { body })), ENDPOINTS);

export const useChangeEndpoint = () =>
  useAdminMutation(
    (client, { endpoint_id, body }: { endpoint_id: string; body: Schemas["ChangeEndpoint"] }) =>
      unwrap(client.PATCH(ONE_ENDPOINT, { ...ofEndpoint(endpoint_id), body })),
    ENDPOINTS,
  );

export const useRemoveEndpoint = () =>
  useAdminMutation((client, endpoint_id: string) => unwrap(client.DELETE(ONE_ENDPOINT, ofEndpoint(endpoint_id))), ENDPOINTS);

export const useRotateSecret = () =>
  useAdminMutation(
    (client, endpoint_id: string) => unwrap(client.POST(`${ONE_ENDPOINT}/secret`, ofEndpoint(endpoint_id))),
    ENDPOINTS,
  );

export const useEndOldSecret = () =>
  useAdminMutation(
    (client, endpoint_id: string) => unwrap(client.POST(`${ONE_ENDPOINT}/secret/end-old`, ofEndpoint(endpoint_id))),
    ENDPOINTS,
  );

export const useTestEndpoint = () =>
  useAdminMutation(
    (client, endpoint_id: string) => unwrap(client.POST(`${ONE_ENDPOINT}/test`, ofEndpoint(endpoint_id))),
    ENDPOINTS,
  );

export const useResend = () =>
  useAdminMutation(
    (client, { endpoint_id, body }: { endpoint_id: string; body: Schemas["ResendEvents"] }) =>
      unwrap(client.POST(`${ONE_ENDPOINT}/resend`, { ...ofEndpoint(endpoint_id), body })),
    ENDPOINTS,
  );

/** What became of a test event: asked for until it was tried, for half a minute. null: not tried yet. */
export function useTestFate(endpoint_id: string, event_id: string) {
  const { client, session } = useBilling();
  const queries = useQueries();
  const list = (state: string) =>
    unwrap(client.GET(`${ONE_ENDPOINT}/deliveries`, { params: { path: { endpoint_id }, query: { state } } }));
  return useQuery(
    {
      queryKey: ["admin", session.userId, "fate", endpoint_id, event_id],
      queryFn: async () => {
        const tried = await Promise.all(["delivered", "failed"].map(list));
        const outcome = tried.flatMap(({ deliveries }) => deliveries).find((delivery) => delivery.event_id === event_id);
        if (outcome) void queries.invalidateQueries({ queryKey: ["admin", session.userId, "deliveries"] });
        if (outcome) void queries.invalidateQueries({ queryKey: ["admin", session.userId, "endpoints"] });
        return outcome ?? null;
      },
      refetchInterval: ({ state }) => (state.data || state.status === "error" || state.dataUpdateCount >= 15 ? false : 2000),
    },
    queries,
  );
}

/** A page of what an endpoint was told, the newest first. */
export const useDeliveries = (endpoint_id: string, state: string, cursor: string) =>
  useAdminQuery(["deliveries", endpoint_id, state, cursor], (client) => {
    const query = { state, ...(cursor && { cursor }) };
    return unwrap(client.GET(`${ONE_ENDPOINT}/deliveries`, { params: { path: { endpoint_id }, query } }));
  });
