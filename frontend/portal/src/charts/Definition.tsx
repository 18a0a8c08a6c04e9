import { Icon } from "@bitsleuth/billing-react";
import { useId, useState, type KeyboardEvent } from "react";
import { useAdminText } from "../admin/text.js";

/** What a figure counts: shown to the pointer, to the keyboard and to a finger; Escape puts it away. */
export function Definition({ of, children }: { of: string; children: string }) {
  const t = useAdminText();
  const id = useId();
  const [open, setOpen] = useState(false);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    setOpen(false);
  };
  return (
    <span className="definition" onPointerEnter={() => setOpen(true)} onPointerLeave={() => setOpen(false)}>
      <button
        type="button"
        className="definition-button"
        aria-label={t("definition.of", { title: of })}
        aria-describedby={id}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      >
        <Icon name="info" size={15} />
      </button>
      <span className="definition-text" role="tooltip" id={id} hidden={!open}>
        {children}
      </span>
    </span>
  );
}
