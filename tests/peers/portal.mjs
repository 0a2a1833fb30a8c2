// Where the portal is, as whom to ask it, and how to say what was found: one JSON value.
export const url = process.env.PORTAL_URL;
export const headers = { authorization: `Bearer ${process.env.PORTAL_TOKEN}` };
export const wishes = JSON.parse(process.env.PORTAL_WISHES ?? "[]");
export const pageSize = 20;
export const say = (found) => process.stdout.write(JSON.stringify(found));
