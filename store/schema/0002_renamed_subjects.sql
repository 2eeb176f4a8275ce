-- Subjects can be renamed, and merged into others.

ALTER TABLE changes DROP CONSTRAINT changes_kind_check;
ALTER TABLE changes ADD CONSTRAINT changes_kind_check CHECK (
    kind IN ('face added', 'face erased', 'subject erased', 'subject renamed', 'subject merged', 'cleared')
);
ALTER TABLE changes ADD merged_into uuid;  -- the subject that took the faces of "subject merged"
