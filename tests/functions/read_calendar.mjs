// Reads a calendar from the standard input with ical.js, a reader of Mozilla's calendar, and tells what is in it.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const ICAL = createRequire(new URL("../../frontend/package.json", import.meta.url))("ical.js");
const calendar = new ICAL.Component(ICAL.parse(await text(process.stdin)));
const found = calendar.getAllSubcomponents("vevent").map((component) => {
  const event = new ICAL.Event(component);
  return { uid: event.uid, summary: event.summary, at: event.startDate.toUnixTime() };
});
console.log(JSON.stringify(found));
