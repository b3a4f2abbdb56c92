// What scripts say, in the reader's language. base.html loads the catalogue (`earshotWords`) before every module;
// without it the words stay English. docs/languages.md has the recipe.

const { catalogue = {}, plural = (n) => Number(n !== 1) } = globalThis.earshotWords ?? {};

/** The words in the reader's language. makemessages finds `gettext("…")` only with the words themselves in it. */
export function gettext(words) {
  const found = catalogue[words];
  return (Array.isArray(found) ? found[0] : found) || words;
}

export function ngettext(one, many, count) {
  return catalogue[one]?.[plural(count)] || (count === 1 ? one : many);
}

/** Put values into %(name)s. */
export const interpolate = (words, values) => words.replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);
