/**
 * Fills `{{name}}` in a configuration template. Every name must have a value and every value must be used: a template and
 * the code that fills it never drift apart unseen. Throws otherwise.
 */
export function fillTemplate(template: string, values: Readonly<Record<string, string | number>>): string {
  const unused = new Set(Object.keys(values));
  const text = template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the template has {{${name}}}, which has no value`);
    unused.delete(name);
    return String(value);
  });
  if (unused.size > 0) throw new Error(`the template does not use ${[...unused].join(', ')}`);
  return text;
}
