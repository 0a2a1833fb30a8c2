// The audits of graphql-http, the reference library of GraphQL over HTTP.
import { auditServer } from "graphql-http";
import { headers, say, url } from "./portal.mjs";

const results = await auditServer({
  url,
  fetchFn: (target, options = {}) =>
    fetch(target, { ...options, headers: { ...options.headers, ...headers } }),
});
say(
  results.map(({ id, name, status, reason }) => ({ id, name, status, reason: reason ?? null })),
);
