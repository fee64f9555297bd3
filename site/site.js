// Names that the theme leaves out, so that a screen reader can tell its parts apart.
document.addEventListener("DOMContentLoaded", () => {
  for (const [selector, role, label] of [
    [".sidebar-drawer", null, "contents"], [".toc-drawer", null, "on this page"], [".content-icon-container", "navigation", "tools"]])
    for (const part of document.querySelectorAll(selector)) {
      if (role) part.setAttribute("role", role);
      part.setAttribute("aria-label", label);
    }
});
