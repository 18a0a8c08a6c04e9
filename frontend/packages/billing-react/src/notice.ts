export { RenewalNotice, type RenewalNoticeProps } from "./reminders/RenewalNotice.js";
export { useEnds, type End, type EndsOptions } from "./reminders/ends.js";
