// graphql-eslint over the SDL and over our own operations; each exception says why.
import graphql from "@graphql-eslint/eslint-plugin";
import { readFileSync } from "node:fs";
import { parse } from "graphql";

const definitions = parse(readFileSync("schema.graphql", "utf8")).definitions;
const fieldOf = (kind, name) => kind.fields.find((field) => field.name.value === name);
const nodes = definitions
  .filter((kind) => kind.name?.value.endsWith("Edge"))
  .map((kind) => fieldOf(kind, "node").type.type.name.value);
const withoutId = definitions
  .filter((kind) => kind.kind === "ObjectTypeDefinition" && !nodes.includes(kind.name.value))
  .map((kind) => kind.name.value)
  // What has an id of its own without being listed anywhere must keep it.
  .filter((name) => !["Me", "Patient"].includes(name));

const shared = {
  languageOptions: {
    parser: graphql.parser,
    parserOptions: {
      graphQLConfig: { schema: "schema.graphql", documents: "operations/*.graphql" },
    },
  },
  plugins: { "@graphql-eslint": graphql },
};

export default [
  {
    files: ["schema.graphql"],
    ...shared,
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          acceptedIdNames: ["id"],
          acceptedIdTypes: ["ID"],
          // Only what a list holds is a thing with an identity; the others are values, pages and
          // answers. An OpenRecord or a WorklistEntry is known by its `chart`, the id that `record`
          // takes.
          exceptions: { types: [...withoutId, "OpenRecord", "WorklistEntry"] },
        },
      ],
      // Pages go forward only: newest first, and keyset cursors tell what comes after.
      "@graphql-eslint/relay-arguments": ["error", { includeBoth: false }],
      "@graphql-eslint/relay-edge-types": [
        "error",
        {
          withEdgeSuffix: true,
          // A `Node` promises `node(id:)`; here a fact is read through its chart, whose rule decides.
          shouldImplementNode: false,
          // Codings, components and the like are parts of one fact, few and never paged.
          listTypeCanWrapOnlyEdgeType: false,
        },
      ],
    },
  },
  {
    files: ["operations/*.graphql"],
    ...shared,
    rules: {
      ...graphql.configs["flat/operations-recommended"].rules,
      // The server's own limit.
      "@graphql-eslint/selection-set-depth": ["error", { maxDepth: 12 }],
    },
  },
];
