// Words of the peer that the page shows in the chosen language: operations, filters, and what a policy allows. Its other sentences stay English.
import { t } from "../../shell/text.js";

const WORDS = {
  "read": t("read"),
  "insert": t("insert"),
  "update": t("update"),
  "delete": t("delete"),
  "is": t("is"),
  "is not": t("is not"),
  "contains": t("contains"),
  "begins with": t("begins with"),
  "less than": t("less than"),
  "at most": t("at most"),
  "greater than": t("greater than"),
  "at least": t("at least"),
  "is empty": t("is empty"),
  "is not empty": t("is not empty"),
  "anyone may read": t("anyone may read"),
  "members of the site's group may read": t("members of the site's group may read"),
  "callers who give an e-mail address may read, and nobody checks the address": t("callers who give an e-mail address may read, and nobody checks the address"),
  "callers may read the rows they added": t("callers may read the rows they added"),
  "you alone may read": t("you alone may read"),
  "anyone may add rows": t("anyone may add rows"),
  "members of the site's group may add rows": t("members of the site's group may add rows"),
  "callers who give an e-mail address may add rows, and nobody checks the address": t("callers who give an e-mail address may add rows, and nobody checks the address"),
  "you alone may add rows": t("you alone may add rows"),
  "you alone may add rows, and nobody else knows that they could": t("you alone may add rows, and nobody else knows that they could"),
  "anyone may change any row": t("anyone may change any row"),
  "members of the site's group may change any row": t("members of the site's group may change any row"),
  "callers who give an e-mail address may change any row, and nobody checks the address": t("callers who give an e-mail address may change any row, and nobody checks the address"),
  "callers may change the rows they added": t("callers may change the rows they added"),
  "you alone may change rows": t("you alone may change rows"),
  "anyone may delete any row": t("anyone may delete any row"),
  "members of the site's group may delete any row": t("members of the site's group may delete any row"),
  "callers who give an e-mail address may delete any row, and nobody checks the address": t("callers who give an e-mail address may delete any row, and nobody checks the address"),
  "callers may delete the rows they added": t("callers may delete the rows they added"),
  "you alone may delete rows": t("you alone may delete rows"),
};

/** A word of the peer in the chosen language; as it is when it is none of these. */
export const word = (english) => WORDS[english] ?? english;
