import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, format, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { AskDialog } from "./AskDialog.js";
import { useMay } from "./may.js";
import { Empty, Field } from "./parts.js";
import { useAddNote, useRemoveNote } from "./queries.js";
import { useAdminText } from "./text.js";

/** What those who work here wrote about a customer, and what the customer said as they left. */
export function Notes({ userId, notes }: { userId: string; notes: readonly Schemas["NoteView"][] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const may = useMay();
  const add = useAddNote(userId);
  const [removing, setRemoving] = useState<Schemas["NoteView"] | null>(null);
  const [text, setText] = useState("");
  return (
    <section className="bsb-stack" aria-labelledby="notes">
      <h2 className="bsb-h2" id="notes">
        {t("notes")}
      </h2>
      {notes.length === 0 && !may("POST /admin/users/{user_id}/notes") && <Empty>{t("notes.none")}</Empty>}
      {notes.length > 0 && (
        <ul className="bsb-card bsb-card-flush">
          {notes.map((note) => (
            <li key={note.note_id} className="admin-line bsb-row bsb-between">
              <div className="bsb:min-w-0">
                <p className="admin-words">{note.text}</p>
                <p className="bsb-2 bsb-tiny">
                  {note.author ? <span className="bsb-mono">{note.author}</span> : t("notes.left")} · {format.dateTime(note.at, locale)}
                  {note.kept_until && ` · ${t("notes.kept", { date: format.date(note.kept_until, locale) })}`}
                </p>
              </div>
              {may("DELETE /admin/users/{user_id}/notes/{note_id}") && (
                <Button size="small" variant="ghost" onClick={() => setRemoving(note)}>
                  {t("notes.remove")}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
      {may("POST /admin/users/{user_id}/notes") && (
        <form
          className="bsb-stack bsb:gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            add.mutate(text, { onSuccess: () => setText("") });
          }}
        >
          <Field id="note-text" label={t("notes.new")}>
            {(field) => <textarea {...field} className="bsb-input" rows={2} required maxLength={2000} value={text} onChange={({ target }) => setText(target.value)} />}
          </Field>
          {add.isError && <ErrorNotice error={add.error} />}
          <div>
            <Button type="submit" size="small" busy={add.isPending}>
              {t("notes.add")}
            </Button>
          </div>
        </form>
      )}
      {removing && <RemoveDialog userId={userId} note={removing} onClose={() => setRemoving(null)} />}
    </section>
  );
}

function RemoveDialog({ userId, note, onClose }: { userId: string; note: Schemas["NoteView"]; onClose: () => void }) {
  const t = useAdminText();
  const remove = useRemoveNote(userId);
  const onAct = () => remove.mutate(note.note_id, { onSuccess: onClose });
  return (
    <AskDialog title={t("notes.remove.title")} about={t("notes.remove.about")} act={t("notes.remove")} acting={remove} onAct={onAct} onClose={onClose}>
      <p className="admin-words">{note.text}</p>
    </AskDialog>
  );
}
