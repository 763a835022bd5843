/* For monitio/message/includes/messages.jquery.html. Without jQuery the links lead to a form. */
(function ($) {
  if (!$) return;
  var FADE = 200;

  function remove(items) {
    items.fadeOut(FADE, function () {
      $(this).remove();
    });
  }

  function post(link, items) {
    $.ajax({
      url: link.href,
      type: "POST",
      dataType: "json",
      data: { csrfmiddlewaretoken: $(link).closest(".monitio-jquery").attr("data-csrf") },
    }).done(function () {
      remove(items);
    }).fail(function () {
      // Whatever went wrong, the page behind the link says it and offers the same by form.
      location.assign(link.href);
    });
  }

  $(document).on("click", ".monitio-jquery a[class^=monitio-]", function (event) {
    var link = $(this);
    event.preventDefault();
    post(this, link.hasClass("monitio-close-all") ? link.closest("ul") : link.closest("li"));
  });
})(window.jQuery);
