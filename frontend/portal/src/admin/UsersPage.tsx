import { Button, ErrorNotice, SkeletonCard } from "@bitsleuth/billing-react";
import { useState } from "react";
import { navigate, useQueryParam } from "../router.js";
import { Empty, StatusBadge, UserLink } from "./parts.js";
import { useUsers } from "./queries.js";
import { useAdminText } from "./text.js";
import { UserPage } from "./UserPage.js";

/** Look-up by anything that names a user; then everything about one. */
export function UsersPage() {
  const userId = useQueryParam("user");
  const q = useQueryParam("q") ?? "";
  return userId ? <UserPage key={userId} userId={userId} /> : <Search key={q} q={q} />;
}

function Search({ q }: { q: string }) {
  const t = useAdminText();
  const [text, setText] = useState(q);
  const users = useUsers(q);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-stack bsb:gap-1">
        <h1 className="bsb-h1">{t("users")}</h1>
        <p className="bsb-2">{t("users.about")}</p>
      </div>
      <form
        className="bsb-row bsb:flex-nowrap"
        onSubmit={(event) => {
          event.preventDefault();
          navigate(`/console/users?q=${encodeURIComponent(text.trim())}`);
        }}
      >
        <input
          className="bsb-input bsb:max-w-lg"
          type="search"
          aria-label={t("users.search")}
          placeholder={t("users.search")}
          maxLength={128}
          required
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <Button type="submit" variant="primary">
          {t("users.find")}
        </Button>
      </form>
      {users.isError && <ErrorNotice error={users.error} onRetry={() => void users.refetch()} />}
      {users.isLoading && <SkeletonCard lines={2} />}
      {users.data && users.data.users.length === 0 && <Empty>{t("users.none")}</Empty>}
      {users.data && users.data.users.length > 0 && (
        <ul className="bsb-card bsb-card-flush">
          {users.data.users.map((user) => (
            <li key={user.user_id} className="admin-line bsb-row bsb-between">
              <div className="bsb:min-w-0">
                <UserLink userId={user.user_id} />
                <p className="bsb-2 bsb-tiny">{t("users.matched", { what: t(`matched.${user.matched}`) })}</p>
              </div>
              <div className="bsb-row">
                <span>{user.plan_name}</span>
                <StatusBadge of="status" status={user.status} />
              </div>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
